"""Time-outs: only after whole periods of looks that count, and never of what a mirror shows (J3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from contracts.ids import NO_PROOF, ProofId, RunId, as_address, to_hex
from contracts.messages import for_log as messages
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.log.signed import WHAT
from tests.contracts.protocol.log.signed_run import SignedRun, hashed, key
from tests.verifier.duties.test_doing import closed
from tests.verifier.town import Party, make_party, text_of
from verifier.duties import lapse, lapse_periods
from verifier.duties.lapse_periods import TIMES_NEW
from verifier.mirror.exchange.handing_on import Answer, Look, MirrorAnswer
from verifier.mirror.store.stopwatch import Absence

pytestmark = pytest.mark.unit

PERIOD, LEASE = 60, 20
"""As `SignedRun` has them, in seconds."""


def passes(
    party: Party, seconds: float, step: float = 10, answered: int = 2, outcome: MirrorAnswer = MirrorAnswer.ANSWERED
) -> None:
    """Looks until so much time has passed, and what is due after each."""
    while seconds > 0:
        party.pass_time(min(step, seconds))
        lapse.watch(party.world, party.look(answered, outcome), chain=True)
        lapse.lapse(party.world)
        seconds -= step


def test_no_time_passes_while_the_others_lack_the_entry(tmp_path: Path) -> None:
    """They answer, and never saw what anything is awaited since: an operator goes on before this one alone."""
    party = make_party(tmp_path, drawn())
    for _ in range(20):
        party.pass_time(10)
        lapse.watch(party.world, party.look(holds=3), chain=True)
        lapse.lapse(party.world)
    assert lapses(party) == []


def lapses(party: Party) -> list[facts.Lapse]:
    return [s.claim for s in party.world.voice.held() if isinstance(s.claim, facts.Lapse)]


def begin(tmp_path: Path, made: SignedRun) -> Party:
    party = make_party(tmp_path, made)
    lapse.watch(party.world, party.look(), chain=True)
    return party


def drawn() -> SignedRun:
    """A round whose panel is drawn, and nobody has shown its secret."""
    made = SignedRun(panel=0)
    made.commit_all()
    made.see()
    return made


def test_openings_for_ones_own_draw_lapse_by_ones_own_word_too(tmp_path: Path) -> None:
    """The node is late, not who drew: where one verifier is silent it takes both others, of whom one drew."""
    made = drawn()
    for verifier in made.verifiers:
        made.show_secret(verifier)
    party = begin(tmp_path, made)
    passes(party, 4 * PERIOD)
    found = {said.awaited.party for said in lapses(party) if said.awaited.what is What.OPENINGS}
    assert found == {verifier.address for verifier in made.verifiers}


def test_a_secret_lapses_after_a_whole_period_and_not_before(tmp_path: Path) -> None:
    party = begin(tmp_path, drawn())
    passes(party, PERIOD - 1)
    assert lapses(party) == []
    passes(party, 1)
    found = {said.awaited.party for said in lapses(party)}
    others = {verifier.address for verifier in party.made.verifiers[1:]}
    assert found == others, "one does not call oneself late"
    assert {said.awaited.what for said in lapses(party)} == {What.SECRET}
    party.enter()
    assert party.said[-1].event == "lapse"


def test_looks_that_do_not_count_make_no_time(tmp_path: Path) -> None:
    """Without the log, or with fewer than n - k others, nothing passes; nor while the chain stands still."""
    party = begin(tmp_path, drawn())
    for _ in range(50):
        party.clock[0] += 10
        lapse.watch(party.world, party.look(), chain=True)
        lapse.lapse(party.world)
    passes(party, 5 * PERIOD, answered=0)
    passes(party, 5 * PERIOD, outcome=MirrorAnswer.UNREACHABLE)
    for _ in range(50):
        party.pass_time(10)
        lapse.watch(party.world, party.look(), chain=False)
        lapse.lapse(party.world)
    assert lapses(party) == []


def test_what_a_mirror_shows_is_not_missing(tmp_path: Path) -> None:
    """An operator that drops it can stop time, and not make it."""
    made = drawn()
    party = begin(tmp_path, made)
    verifier = made.verifiers[1]
    other = SignedRun(panel=0)
    other.commit_all()
    other.see()
    other.show_secret(verifier)
    party.hold(next(leaf for leaf in other.leaves if '"kind":"round-secret"' in leaf))
    passes(party, 3 * PERIOD)
    assert {said.awaited.party for said in lapses(party)} == {made.verifiers[2].address}


def test_a_node_without_a_heartbeat_lapses_after_a_lease(tmp_path: Path) -> None:
    party = begin(tmp_path, SignedRun(nodes=2))
    silent, alive = party.made.nodes
    for step in range(1, 4):
        beat = messages.LeaseRenewal(party.made.run, 1, alive.address, step)
        party.hold(text_of(party.made, beat, alive))
        passes(party, LEASE / 2)
    assert {said.awaited.party for said in lapses(party)} == {silent.address}
    passes(party, LEASE)
    assert {said.awaited.party for said in lapses(party)} == {silent.address, alive.address}


def test_a_node_that_only_beats_lapses_by_the_others_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here after twice what they took."""
    monkeypatch.setattr(lapse_periods, "FIRST_PERIODS", 1)
    party = begin(tmp_path, SignedRun(nodes=2))
    slow, quick = party.made.nodes
    beats = iter(range(1, 1_000))

    def beat(seconds: float, *nodes: object) -> None:
        for _ in range(int(seconds / 10)):
            step = next(beats)
            for node in nodes:
                found = messages.LeaseRenewal(party.made.run, 1, node.address, step)  # type: ignore[attr-defined]
                party.hold(text_of(party.made, found, node))
            passes(party, 10)

    beat(200, slow, quick)
    proof = party.made.commit(quick)
    for verifier in party.made.verifiers:
        party.made.send(messages.Has(party.made.run, 1, verifier.address, (proof,)), verifier)
    party.follow()
    beat(200 * (TIMES_NEW - 1) - 10, slow)
    assert lapses(party) == []
    beat(30, slow)
    assert {said.awaited.party for said in lapses(party)} == {slow.address}


def test_a_commitment_whose_gradient_one_holds_is_not_missing(tmp_path: Path) -> None:
    party = begin(tmp_path, SignedRun(nodes=1))
    made = party.made
    proof = made.commit(made.nodes[0])
    party.follow()
    passes(party, PERIOD - 10)
    assert lapses(party) == [], "its bytes have a period to come"
    party.hold(text_of(made, messages.Has(made.run, 1, made.verifiers[0].address, (proof,)), made.verifiers[0]))
    passes(party, 5 * PERIOD)
    assert lapses(party) == []


def test_a_gradient_that_nobody_serves_lapses(tmp_path: Path) -> None:
    party = begin(tmp_path, SignedRun(nodes=1))
    party.made.commit(party.made.nodes[0])
    party.follow()
    passes(party, 2 * PERIOD)
    assert [said.awaited.what for said in lapses(party)] == [What.COMMITMENT]


def test_openings_have_longer_the_more_is_asked_for(tmp_path: Path) -> None:
    made = SignedRun(nodes=1, panel=0, leastRate=1_000)
    made.commit_all()
    made.see()
    for verifier in made.verifiers:
        made.show_secret(verifier)
    party = begin(tmp_path, made)
    passes(party, 2 * PERIOD)
    assert lapses(party) == []
    passes(party, 8 * PERIOD)
    assert {said.awaited.what for said in lapses(party)} == {What.OPENINGS}


def test_a_restart_sends_the_same_lapse_and_no_second_one(tmp_path: Path) -> None:
    party = begin(tmp_path, drawn())
    passes(party, PERIOD)
    first = {signed.digest for signed in party.world.voice.held()}
    party.world.messages.drop(first)
    again = make_party(tmp_path, party.made)
    lapse.lapse(again.world)
    assert {signed.digest for signed in again.world.voice.held()} == first
    again.enter()
    passes(again, 3 * PERIOD)
    assert lapses(again) == []


def test_messages_say_what_is_awaited_as_the_log_reads_it() -> None:
    run, proof, node = RunId("0x" + "1" * 64), ProofId("0x" + "2" * 64), as_address("0x" + "Ab" * 20)
    for what in What:
        of_round = what in (What.COMMITMENT, What.SECRET, What.SEEN)
        party = {What.SEEN: "", What.SECOND_LOOK: "7"}.get(what, node)
        absence = Absence(Awaited(what, run, 3, NO_PROOF if of_round else proof, party), 9)
        found = lapse.lapse_message(node, absence, bytes.fromhex(run[2:]))
        assert to_hex(found.root) == run
        assert (WHAT[found.what], found.since, found.round) == (what, 9, 3)
        assert (found.segment != NO_SEGMENT) == (what is What.SECOND_LOOK)
        assert (to_hex(found.proof) == proof) == (not of_round)


@pytest.mark.parametrize(
    ("answered", "outcome", "reached"),
    [(2, MirrorAnswer.ANSWERED, True), (0, MirrorAnswer.ANSWERED, False), (2, MirrorAnswer.UNREACHABLE, False)],
)
def test_a_look_without_a_round_counts_if_it_reached_the_others(
    tmp_path: Path, answered: int, outcome: MirrorAnswer, reached: bool
) -> None:
    """An epoch's root is signed by what one saw, also when all rounds are over."""
    party = make_party(tmp_path, closed())
    with party.world.replica.reading() as state:
        for run in state.runs.values():
            run.rounds.clear()
    assert lapse.watch(party.world, party.look(answered, outcome), chain=True)(5) is reached
    assert not lapse.watch(party.world, party.look(answered, outcome, holds=4), chain=True)(5)


def rotated(made: SignedRun, stay: int) -> list[LocalAccount]:
    """Holders remove all verifiers but the first `stay`, and admit two others."""
    gone, new = made.verifiers[stay:], [key(f"new verifier {i}") for i in range(2)]
    stand = [(v, True) for v in new] + [(v, False) for v in gone]
    made.block(*[chain_events.VerifierStands(v.address, admitted, 10) for v, admitted in stand])
    return [*made.verifiers[:stay], *new]


def seen(party: Party, *others: LocalAccount, size: int = 10**6) -> Look:
    """A look at which the log and these answered."""
    mirrors = (Answer(v.address, "", MirrorAnswer.ANSWERED, "", size) for v in others)
    return Look(Answer("", "", MirrorAnswer.ANSWERED), tuple(mirrors))


def test_who_stays_needs_nobody_who_was_removed(tmp_path: Path) -> None:
    """They are asked by nobody any more: in open rounds and for epochs and faults time goes on without them."""
    made = SignedRun(panel=0, verifiers=5, k=3)
    made.commit_all()
    made.see()
    left = rotated(made, stay=2)
    party = make_party(tmp_path, made)
    look = seen(party, *left[1:])
    for _ in range(PERIOD // 10 + 1):
        party.pass_time(10)
        counts = lapse.watch(party.world, look, chain=True)
        lapse.lapse(party.world)
    assert counts(1)
    assert {said.awaited.what for said in lapses(party)} == {What.SECRET}
    assert not lapse.watch(party.world, seen(party, *made.verifiers[2:]), chain=True)(1), "removed ones are nobody"


def test_a_round_that_is_long_over_keeps_nobody_from_signing(tmp_path: Path) -> None:
    """Its other verifiers were all removed: two new ones answer, and an epoch and a fault are signed."""
    made = SignedRun(nodes=1)
    made.play(1)
    assert made.state.runs[RunId(to_hex(made.run))].rounds
    left = rotated(made, stay=1)
    party = make_party(tmp_path, made)
    assert lapse.watch(party.world, seen(party, *left[1:]), chain=True)(1)
    assert not lapse.watch(party.world, seen(party, *made.verifiers[1:]), chain=True)(1)


def test_though_others_were_removed_nobody_goes_on_alone(tmp_path: Path) -> None:
    """n = 3, k = 2, and two are left: an operator would show the one what it hides from the other."""
    made = drawn()
    left = rotated(made, stay=2)
    party = make_party(tmp_path, made)
    for others in ((), left[2:], made.verifiers[2:]):
        for _ in range(3 * PERIOD // 10):
            party.pass_time(10)
            lapse.watch(party.world, seen(party, *others), chain=True)
            lapse.lapse(party.world)
    assert lapses(party) == []
    for _ in range(PERIOD // 10 + 1):
        party.pass_time(10)
        lapse.watch(party.world, seen(party, left[1]), chain=True)
        lapse.lapse(party.world)
    assert lapses(party)


def beat(party: Party, step: int, *nodes: LocalAccount) -> None:
    """A sign of life of each of these."""
    for node in nodes:
        renewal = messages.LeaseRenewal(party.made.run, party.made.round.number, node.address, step)
        party.hold(text_of(party.made, renewal, node))


def delivers(party: Party, *nodes: LocalAccount) -> None:
    """They commit, and all verifiers hold what they committed to."""
    made = party.made
    proofs = tuple(made.commit(node) for node in nodes)
    for verifier in made.verifiers:
        made.send(messages.Has(made.run, made.round.number, verifier.address, proofs), verifier)
    party.follow()


@pytest.mark.parametrize("outage", ["the server answers nobody", "this verifier is down", "it came late"])
def test_an_outage_makes_no_slow_node_look_quick(tmp_path: Path, outage: str) -> None:
    """Both train an hour, of which one measured seconds. In the next round the one has a head start, and the other has
    the hour that it needs."""
    made, hour = SignedRun(nodes=2, panel=0, rounds=3), 3_600
    made.block()
    party = begin(tmp_path, made) if outage != "it came late" else make_party(tmp_path, made)
    if outage == "the server answers nobody":
        passes(party, hour, step=100, outcome=MirrorAnswer.UNREACHABLE)
    else:
        party.pass_time(hour)
    party.chain.now = made.round.opened_at + hour
    lapse.watch(party.world, party.look(), chain=True)
    honest, hasty = made.nodes
    delivers(party, honest, hasty)
    passes(party, 10)
    assert party.world.stopwatch.took(RunId(to_hex(made.run)))[honest.address] >= hour
    made.see()
    made.read_all()
    made.merge()
    made._make_final()
    party.follow()
    passes(party, 10)
    delivers(party, hasty)
    for step in range(1, hour // 10):
        beat(party, step, honest)
        passes(party, 10)
    assert made.round.number == 2
    assert lapses(party) == []


def test_what_others_called_missing_is_no_measure(tmp_path: Path) -> None:
    """Nor is anything measured while one's own chain node does not answer."""
    party = begin(tmp_path, SignedRun(nodes=2))
    made = party.made
    silent, quick = made.nodes
    (absence,) = [Absence(a, since) for a, since in made.state.open.items() if a.party == silent.address]
    for verifier in made.verifiers[1:]:
        made.send(lapse.lapse_message(verifier.address, absence, made.root_at(absence.since)), verifier)
    delivers(party, quick)
    party.pass_time(10)
    lapse.watch(party.world, party.look(), chain=False)
    assert party.world.stopwatch.took(RunId(to_hex(made.run))) == {}
    passes(party, 10)
    assert absence.awaited not in made.state.open
    assert set(party.world.stopwatch.took(RunId(to_hex(made.run)))) == {quick.address}


def test_time_that_passed_on_a_fork_ends_nothing_on_the_log(tmp_path: Path) -> None:
    """Both logs open round 2 at the same index. Before, a lapse that was due on the fork was signed at the first look
    at the log, on which the round had just opened."""

    def log(second: int) -> SignedRun:
        made = SignedRun(nodes=2, rounds=2)
        made.commit_all()
        made.see()
        made.read_all()
        theta, momentum = hashed("theta", 1), hashed("momentum", 1)
        for verifier in (made.verifiers[0], made.verifiers[second]):
            merge = messages.Merge(made.run, 1, verifier.address, made.merge_root, theta, momentum, theta, momentum, 5)
            made.send(merge, verifier)
        return made

    real, fork = log(1), log(2)
    assert list(real.state.open.items()) == list(fork.state.open.items())
    party = make_party(tmp_path, fork)
    lapse.watch(party.world, party.look(1), chain=True)
    passes(party, LEASE, answered=1)
    assert lapses(party), "on the fork they are late"
    party.made = real
    party.follow()
    for _ in range(2):
        lapse.watch(party.world, party.look(2), chain=True)
        lapse.lapse(party.world)
        assert lapses(party) == []
