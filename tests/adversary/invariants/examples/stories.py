"""Histories on which all invariants hold."""

from __future__ import annotations

from typing import Any

from contracts.ids import ProofId
from contracts.protocol.judge import entries as derived
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Reason, What, Word
from tests.adversary.history import History
from tests.adversary.invariants.examples.play import RUN, TERMS, V1, V2, V3, A, B, Play
from tests.adversary.invariants.tables import MESSAGES

BENCH = (V1, V2, V3)


def finish(play: Play) -> History:
    """Merge, epoch and end of the run."""
    play.merge()
    play.final(play.epoch())
    play.add(derived.RunOver(play.run))
    return counted(play.history)


def counted(history: History) -> History:
    """The same, with its messages counted."""
    history.messages = sum(type(entry) in MESSAGES for entry in history.entries)
    return history


def calm_round(play: Play, **listed: dict[str, Any]) -> tuple[ProofId, ProofId]:
    """Both nodes work, the panels draw; nothing is read yet."""
    play.open(**listed)
    first, second = play.commit(A), play.commit(B)
    play.close(first, second)
    return first, second


def read_and_post(play: Play, proof: ProofId) -> None:
    """Two seats read a proof, and it is posted."""
    play.panel(proof, *BENCH)
    play.read(proof, V1)
    play.read(proof, V2)
    play.post(proof)


def spared(play: Play, proof: ProofId) -> None:
    """The coin spares a proof, and it is posted."""
    play.panel(proof, audited=False)
    play.post(proof)


def honest() -> History:
    """Two rounds of everybody's honest work; in the second one the coin spares a proof."""
    play = Play("honest")
    play.begin()
    for proof in calm_round(play):
        read_and_post(play, proof)
    play.merge()
    play.final(play.epoch())
    first, second = calm_round(play, b={"rate": 50_000})
    read_and_post(play, first)
    spared(play, second)
    return finish(play)


def _false_segment(later: bool = False, **truth: Any) -> tuple[Play, ProofId]:
    """Node B computes segment 1 falsely; v1 draws it and says so, and the bench is called. v3 is corrupt."""
    play = Play("cheat", corrupt=["v3"])
    play.begin()
    if later:
        for proof in calm_round(play):
            read_and_post(play, proof)
        play.merge()
        play.final(play.epoch())
    play.open()
    first, second = play.commit(A), play.commit(B, false=frozenset({1}), **truth)
    play.close(first, second)
    read_and_post(play, first)
    play.panel(second, *BENCH)
    play.read(second, V1, s1=Word.FALSE)
    play.add(derived.BenchCalled(second, 1, BENCH))
    return play, second


def _decide_false(play: Play, proof: ProofId, reason: Reason = Reason.REPLAY) -> None:
    play.add(derived.SegmentDecided(proof, 1, False, reason), derived.Voided(proof, reason, 1))


def cheat() -> History:
    """The bench holds it false, over the word of the corrupt v3; the node is at fault, and audited fully afterwards."""
    play, proof = _false_segment()
    play.words(proof, V3, s1=Word.TRUE)
    play.read(proof, V2, s1=Word.FALSE)
    _decide_false(play, proof)
    play.add(derived.Overruled(RUN, proof, V3, 4))
    play.add(derived.VerifierFault(RUN, 1, proof, V3, derived.Fault.PASSED_A_FAKE))
    play.add(facts.PledgeOpened(proof, "salt", None))
    play.add(derived.FaultDerived(proof, B, True, Reason.REPLAY, True))
    play.merge()
    play.final(play.epoch())
    first, second = calm_round(play, b={"staked": False})
    for each in (first, second):
        read_and_post(play, each)
    return finish(play)


def late_cheat() -> History:
    """After an honest round and its epoch, node B cheats, and is at fault."""
    play, proof = _false_segment(later=True)
    play.read(proof, V2, s1=Word.FALSE)
    _decide_false(play, proof)
    play.add(facts.PledgeOpened(proof, "salt", None))
    play.add(derived.FaultDerived(proof, B, True, Reason.REPLAY, True))
    return finish(play)


def canary() -> History:
    """Its pledge names the segment: the node is excused, once."""
    play, proof = _false_segment(fake=1)
    play.read(proof, V2, s1=Word.FALSE)
    _decide_false(play, proof)
    play.add(facts.PledgeOpened(proof, "salt", 1))
    play.add(derived.FaultDerived(proof, B, False, Reason.CANARY, False))
    return finish(play)


def unserved() -> History:
    """v2 gets no bytes, v3 lies: `false` and `unserved` count together once the second look is over."""
    play, proof = _false_segment(serves=False)
    play.read(proof, V2, s1=Word.UNSERVED)
    play.words(proof, V3, s1=Word.TRUE)
    look = play.add(derived.SecondLook(proof, 1))
    play.lapse(What.SECOND_LOOK, "1", look, proof)
    _decide_false(play, proof)
    since = len(play.history.entries) - 1
    first = play.lapse(What.PLEDGE, B, since, proof)
    play.lapse(What.PLEDGE, B, first, proof, period=2)
    play.add(derived.FaultDerived(proof, B, True, Reason.PLEDGE_WITHHELD, True))
    return finish(play)


def withheld() -> History:
    """Node B opens nothing: void after the second period."""
    play = Play("withhold")
    play.begin()
    play.open()
    first, second = play.commit(A), play.commit(B, serves=False)
    play.close(first, second)
    read_and_post(play, first)
    play.panel(second, *BENCH)
    since = play.draw(second, V1)
    late = play.lapse(What.OPENINGS, "v1", since, second)
    play.lapse(What.OPENINGS, "v1", late, second, period=2)
    play.add(derived.Voided(second, Reason.WITHHELD, None), facts.PledgeOpened(second, "salt", None))
    play.add(derived.FaultDerived(second, B, True, Reason.WITHHELD, True))
    return finish(play)


def silent() -> History:
    """v2 draws and says nothing: what it drew goes to the bench, v3 sits down, and a second lapse is a fault."""
    play = Play("silent", corrupt=["v2"])
    play.begin()
    play.open()
    first, second = play.commit(A), play.commit(B)
    play.close(first, second)
    play.panel(first, *BENCH)
    play.read(first, V1)
    play.draw(first, V2)
    late = play.lapse(What.WORDS, "v2", play.openings(first, V2), first)
    play.add(derived.BenchCalled(first, 0, BENCH), derived.BenchCalled(first, 2, BENCH))
    play.fill(first, V3)
    play.words(first, V1, s2=Word.TRUE)
    play.read(first, V3, s2=Word.TRUE)
    play.add(derived.SegmentDecided(first, 0, True, None), derived.SegmentDecided(first, 2, True, None))
    play.lapse(What.WORDS, "v2", late, first, period=2)
    play.add(derived.VerifierFault(RUN, 1, first, V2, derived.Fault.FELL_SILENT))
    play.post(first)
    play.panel(second, V1, V3)
    play.read(second, V1)
    play.read(second, V3)
    play.post(second)
    return finish(play)


def traces() -> History:
    """Three seats seal traces; v3 shows a wrong one of the first proof, and none of the second."""
    play = Play("traces", corrupt=["v3"])
    play.begin()
    for proof in calm_round(play):
        play.panel(proof, *BENCH, seats=3)
        for verifier in BENCH:
            play.read(proof, verifier)
        play.post(proof)
        play.add(*(facts.TraceShown(proof, verifier, "trace") for verifier in (V1, V2)))
    first, second = play.posted
    play.add(facts.TraceShown(first, V3, "wrong"))
    play.add(derived.VerifierFault(RUN, 1, first, V3, derived.Fault.WRONG_TRACE))
    late = play.lapse(What.TRACE, "v3", len(play.history.entries) - 1, second)
    play.lapse(What.TRACE, "v3", late, second, period=2)
    play.add(derived.VerifierFault(RUN, 1, second, V3, derived.Fault.TRACE_WITHHELD))
    return finish(play)


def nothing_posted() -> History:
    """Nobody commits: both nodes lapse, nothing is merged, and everything is carried over."""
    play = Play("nobody")
    play.begin()
    play.open()
    since = len(play.history.entries) - 1
    for node in (A, B):
        play.lapse(What.COMMITMENT, node, since)
    play.close()
    return finish(play)


def away() -> History:
    """v3 lapses and its seat is filled; in round 2 node B lapses; in round 3 it is not awaited. v3 sits no more."""
    play = Play("away", away=["v3"])
    play.begin()
    first, second = calm_round(play)
    since = play.panel(first, V1, V3, V2)
    play.read(first, V1)
    play.lapse(What.SECRET, "v3", since)
    play.fill(first, V2)
    play.read(first, V2)
    play.post(first)
    read_and_post(play, second)
    play.merge()
    play.final(play.epoch())
    play.open()
    alone = play.commit(A)
    play.lapse(What.COMMITMENT, B, len(play.history.entries) - 2)
    play.close(alone)
    _read_by_two(play, alone)
    play.merge()
    play.final(play.epoch())
    for proof in calm_round(play, b={"awaited": False}):
        _read_by_two(play, proof)
    return finish(play)


def _read_by_two(play: Play, proof: ProofId) -> None:
    play.panel(proof, V1, V2)
    play.read(proof, V1)
    play.read(proof, V2)
    play.post(proof)


def beacon_missed() -> History:
    """Fewer than k say `Seen`: the next block draws, and the proof that the coin might spare is read."""
    play = Play("late", corrupt=["v3"])
    play.begin()
    play.open(b={"rate": 50_000})
    proofs = play.commit(A), play.commit(B)
    play.close(*proofs, seen=[V1])
    play.lapse(What.SEEN, "", len(play.history.entries) - 1)
    since = play.add(derived.BeaconMissed(RUN, 1, play.blocks, play.time + TERMS.span))
    play.add(*(facts.Seen(RUN, 1, verifier, since, "root") for verifier in (V1, V2)))
    play.beacon()
    for proof in proofs:
        read_and_post(play, proof)
    return finish(play)


def undecided() -> History:
    """Without the premise (nobody but v1 is there): the proof waits, and is undecided when its epoch closes."""
    play = Play("alone", away=["v2", "v3"])
    play.begin()
    first, second = calm_round(play)
    read_and_post(play, first)
    play.panel(second, *BENCH)
    play.draw(second, V1)
    play.merge()
    play.add(derived.Undecided(second))
    play.final(play.epoch())
    play.add(derived.RunOver(RUN))
    return play.history
