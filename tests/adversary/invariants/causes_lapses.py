"""I8: nothing lapses by one clock, before its time, or after it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from contracts.ids import NO_PROOF
from contracts.protocol.judge.entries import Lapsed, SecondLook, SegmentDecided
from contracts.protocol.judge.facts import What
from tests.adversary.invariants.causes_rounds import awaited_since, seers
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, Round, earlier, stands_before


def lapses_have_k_words(reading: Reading) -> Iterator[Breach]:
    """k verifiers of the round said so, of the same thing since the same entry, and after that entry."""
    for index, lapsed in reading.lapsed:
        round_ = reading.round((lapsed.awaited.run, lapsed.awaited.round))
        said = reading.lapses.get((lapsed.awaited, lapsed.since), ())
        authors = {lapse.verifier for at, lapse in said if lapsed.since < at < index} & set(round_.verifiers)
        if len(authors) < round_.k:
            yield index, f"{lapsed.awaited} lapses by the word of {len(authors)} verifiers"


def second_follows_first(reading: Reading) -> Iterator[Breach]:
    """There are two periods at most, and the second begins when the first has lapsed."""
    first: dict[object, int] = {}
    for index, lapsed in reading.lapsed:
        begun = first.get(lapsed.awaited)
        if lapsed.period not in (1, 2) or (lapsed.period == 2 and (begun is None or lapsed.since < begun)):
            yield index, f"period {lapsed.period} of {lapsed.awaited} lapses, and it had not begun"
        first.setdefault(lapsed.awaited, index)


def _no_commitment(_: Reading, round_: Round, __: Proof, lapsed: Lapsed, before: int) -> bool:
    mine = (proof for proof in round_.proofs if proof.committed[0][1].node == lapsed.awaited.party)
    return not any(len(round_.holders(proof, before)) >= round_.k for proof in mine)


def _no_secret(_: Reading, round_: Round, __: Proof, lapsed: Lapsed, before: int) -> bool:
    return lapsed.awaited.party not in {secret.verifier for secret in earlier(round_.secrets, before)}


def _no_openings(_: Reading, __: Round, proof: Proof, lapsed: Lapsed, before: int) -> bool:
    return lapsed.awaited.party not in {closed.verifier for closed in earlier(proof.openings, before)}


def _no_words(_: Reading, __: Round, proof: Proof, lapsed: Lapsed, before: int) -> bool:
    party = lapsed.awaited.party
    drawn = set(proof.draws(before).get(party, ()))
    bench = {call.segment for call in earlier(proof.benches, before) if party in call.members}
    return any(not proof.answered(party, segment, before) for segment in drawn | bench)


def _not_decided(_: Reading, __: Round, proof: Proof, lapsed: Lapsed, before: int) -> bool:
    """After k said true, who still says `unserved` has one more period; a void segment has none."""
    decided = [(at, d) for at, d in proof.decided if at < before and str(d.segment) == lapsed.awaited.party]
    return all(d.true and at <= lapsed.since for at, d in decided)


def _no_pledge(_: Reading, __: Round, proof: Proof, ___: Lapsed, before: int) -> bool:
    return not stands_before(proof.pledges, before)


def _no_trace(_: Reading, __: Round, proof: Proof, lapsed: Lapsed, before: int) -> bool:
    return lapsed.awaited.party not in {shown.verifier for shown in earlier(proof.traces, before)}


def _no_seen(_: Reading, round_: Round, __: Proof, lapsed: Lapsed, before: int) -> bool:
    since, _time = awaited_since(round_, before)
    return len(seers(round_, since, before)) < round_.k


_MISSING: dict[What, Callable[[Reading, Round, Proof, Lapsed, int], bool]] = {
    What.COMMITMENT: _no_commitment,
    What.SECRET: _no_secret,
    What.OPENINGS: _no_openings,
    What.WORDS: _no_words,
    What.SECOND_LOOK: _not_decided,
    What.PLEDGE: _no_pledge,
    What.TRACE: _no_trace,
    What.SEEN: _no_seen,
}


def lapsed_was_not_given(reading: Reading) -> Iterator[Breach]:
    """What lapses had not come before."""
    for index, lapsed in reading.lapsed:
        round_ = reading.round((lapsed.awaited.run, lapsed.awaited.round))
        proof = reading.proofs.get(lapsed.awaited.proof) or Proof(NO_PROOF)
        if not _MISSING[lapsed.awaited.what](reading, round_, proof, lapsed, index):
            yield index, f"{lapsed.awaited} lapses although it had come"


def lapsed_was_awaited(reading: Reading) -> Iterator[Breach]:
    """What lapses was awaited when its period began: of a listed node, a seat, a reader, a node that was read."""
    for index, lapsed in reading.lapsed:
        round_ = reading.round((lapsed.awaited.run, lapsed.awaited.round))
        proof = reading.proofs.get(lapsed.awaited.proof) or Proof(NO_PROOF)
        if not _awaited(round_, proof, lapsed):
            yield index, f"{lapsed.awaited} lapses and was not awaited at entry {lapsed.since}"


def _awaited(round_: Round, proof: Proof, lapsed: Lapsed) -> bool:
    what, party, until = lapsed.awaited.what, lapsed.awaited.party, lapsed.since + 1
    if what is What.COMMITMENT:
        listed = round_.listed(party)
        return listed is not None and listed.awaited and not stands_before(round_.closed, until)
    if what is What.SEEN:
        return stands_before(round_.fixed, until)
    if what is What.SECRET:
        return any(party in p.seats(until) for p in round_.proofs)
    if what is What.OPENINGS:
        return party in proof.draws(until)
    if what is What.WORDS:
        benches = earlier(proof.benches, until)
        return party in proof.draws(until) or any(party in call.members for call in benches)
    if what is What.SECOND_LOOK:
        looks: tuple[SecondLook | SegmentDecided, ...] = (
            *earlier(proof.looks, until),
            *(d for d in earlier(proof.decided, until) if d.true),
        )
        return party in {str(look.segment) for look in looks}
    if what is What.TRACE:
        return proof.sealed.get(party, until) < until
    return stands_before([*proof.spoken, *proof.ends, *proof.panels], until)


CONDITIONS = (lapses_have_k_words, second_follows_first, lapsed_was_not_given, lapsed_was_awaited)
