"""I8: who is drawn to read a proof, who sits down later, and what each draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.ids import Address
from contracts.protocol.judge.facts import Block, What
from tests.adversary.invariants.causes_rounds import FULL, awaited_since, block_at, seers
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, Round, earlier, stands_before


def beacon_draws(reading: Reading) -> Iterator[Breach]:
    """Coin and panel come from the beacon's block, with k `Seen`; after a missed one from a later beacon's."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, panel in proof.panels:
            block = _beacon(reading, round_, index)
            if not stands_before(proof.closed, index):
                yield index, f"{proof.name} is drawn and stands in no closing entry"
            elif (
                block is None or block.hash != panel.beacon or not _is_the_chains(reading, round_, index, panel.beacon)
            ):
                yield index, f"{proof.name} is not drawn by the beacon of its round"


def _is_the_chains(reading: Reading, round_: Round, before: int, beacon: str) -> bool:
    """Whether it is the chain's first block at or after the last time that the round named, whatever the log holds."""
    _, time = awaited_since(round_, before)
    return reading.history.beacons.get(time, beacon) == beacon


def _beacon(reading: Reading, round_: Round, before: int) -> Block | None:
    since, time = awaited_since(round_, before)
    first = block_at(reading, time, since, before)
    return first[1] if first is not None and len(seers(round_, since, before)) >= round_.k else None


def audited_where_it_must_be(reading: Reading) -> Iterator[Breach]:
    """At the full rate, and after a missed beacon, no proof is spared."""
    for proof, committed, round_ in reading.committed():
        listed = round_.listed(committed.node)
        for index, panel in proof.panels:
            must = (listed is not None and listed.rate >= FULL) or stands_before(round_.missed, index)
            if must and not panel.audited:
                yield index, f"{proof.name} is spared and must be audited"


def seats_are_the_first(reading: Reading) -> Iterator[Breach]:
    """The seats of an audited proof are the first of an order of the round's verifiers, at least k where so many are
    there; else nobody."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, panel in proof.panels:
            strangers = set(panel.order) - set(round_.verifiers)
            if strangers or len(set(panel.order)) != len(panel.order):
                yield index, f"{proof.name} has an order of other than the round's verifiers"
            if panel.seats != panel.order[: len(panel.seats)]:
                yield index, f"{proof.name} seats others than the first of its order"
            least = min(round_.k, sum(not _is_away(reading, round_, seat, index) for seat in panel.order))
            if len(panel.seats) < least or (not panel.audited and (panel.order or panel.seats)):
                yield index, f"{proof.name} has {len(panel.seats)} seats (audited: {panel.audited})"


def seats_are_calibrated(reading: Reading) -> Iterator[Breach]:
    """In a run with limits nobody sits without a measured pair, and no node takes part that too few can judge."""
    for proof, committed, round_ in reading.committed():
        terms, run = reading.terms(committed.run), reading.run(committed.run)
        if terms is None or terms.pairs is None:
            continue
        profiles = {anchor.verifier: anchor.profile for _, anchor in run.anchored}
        able = {name for name, profile in profiles.items() if (committed.profile, profile) in terms.pairs}
        if len(able) < 2 * round_.k - 1:
            yield round_.opened[0][0], f"{committed.node} is in round {round_.key}, and only {len(able)} can judge it"
        for index, panel in proof.panels:
            if set(panel.order) - able:
                yield index, f"{proof.name} is read by {sorted(set(panel.order) - able)}, who cannot judge it"


def overruled_sit_behind(reading: Reading) -> Iterator[Breach]:
    """Whom the bench overruled before the round opened stands behind all who are there and whom it did not."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, panel in proof.panels:
            opening = round_.opened[0][0] if round_.opened else 0
            sure, perhaps = _overruled(reading, round_, opening), _overruled(reading, round_, index)
            first = next((place for place, seat in enumerate(panel.order) if seat in sure), len(panel.order))
            there = (seat for seat in panel.order[first:] if not _is_away(reading, round_, seat, index))
            if any(seat not in perhaps for seat in there):
                yield index, f"{proof.name} has the overruled {panel.order[first]} before others in its order"


def _overruled(reading: Reading, round_: Round, before: int) -> set[str]:
    overruled = earlier(reading.run(round_.key[0]).overruled, before)
    return {entry.verifier for entry in overruled if entry.until >= round_.key[1]}


def lapsed_do_not_sit(reading: Reading) -> Iterator[Breach]:
    """Who lapsed in an earlier round takes no seat until it signed a head that holds its lapse."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, seats in _sittings(proof):
            for seat in seats:
                if _gone(reading, round_, seat, index):
                    yield index, f"{proof.name} seats {seat}, who lapsed and has not returned"


def _sittings(proof: Proof) -> Iterator[tuple[int, tuple[str, ...]]]:
    yield from ((index, panel.seats) for index, panel in proof.panels)
    yield from ((index, filled.verifiers) for index, filled in proof.filled)


def _lapsed(reading: Reading, round_: Round, verifier: str, before: int) -> bool:
    """Whether a verifier fell silent in this run at any time before."""
    run = reading.run(round_.key[0])
    return any(entry.awaited.party == verifier for entry in earlier(run.lapsed, before))


def _is_away(reading: Reading, round_: Round, verifier: str, before: int) -> bool:
    """Whether a verifier's last lapse in this run stands after its last return."""
    run = reading.run(round_.key[0])
    lapsed = [at for at, entry in run.lapsed if at < before and entry.awaited.party == verifier]
    return bool(lapsed) and not any(r.party == verifier and r.size > lapsed[-1] for r in earlier(run.returned, before))


def _gone(reading: Reading, round_: Round, verifier: str, before: int) -> bool:
    run, opening = reading.run(round_.key[0]), round_.opened[0][0] if round_.opened else 0
    lapsed = [
        at
        for at, entry in run.lapsed
        if at < opening and entry.awaited.party == verifier and entry.awaited.what in (What.SECRET, What.WORDS)
    ]
    last = max(lapsed, default=-1)
    return last >= 0 and not any(r.party == verifier and r.size > last for r in earlier(run.returned, before))


def seats_are_filled_in_order(reading: Reading) -> Iterator[Breach]:
    """Where a seat lapsed, or fewer sit than should, the next of the order who are there sit down: up to 2k - 1 in all,
    more only while fewer than k drew. Nobody sits down more than twice."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, filled in proof.filled:
            before = proof.seats(index)
            order = next((panel.order for panel in earlier(proof.panels, index)), ())
            places = [order.index(name) for name in filled.verifiers if name in order]
            if not places or len(places) < len(filled.verifiers) or places != sorted(set(places)):
                yield index, f"{proof.name} fills its seats out of order"
                continue
            passed = (name for name in order[: places[-1]] if name not in (*before, *filled.verifiers))
            if any(not _lapsed(reading, round_, name, index) for name in passed):
                yield index, f"{proof.name} fills its seats out of order"
            if max(Counter([*before, *filled.verifiers]).values()) > 2:
                yield index, f"somebody sits down three times on {proof.name}"
            few = len(before) < min(max(_panel(reading, round_), round_.k), len(order))
            if not (few or any(_late(round_, proof, seat, index) for seat in before)):
                yield index, f"{proof.name} fills its seats and nobody lapsed"
            free = {seat for seat in before if _left_empty(reading, round_, proof, seat, index)}
            seats = {*before, *filled.verifiers} - (free - {*filled.verifiers})
            if len(seats) > 2 * round_.k - 1 and len(proof.draws(index)) >= round_.k:
                yield index, f"{proof.name} has {len(seats)} seats although k drew"


def _left_empty(reading: Reading, round_: Round, proof: Proof, seat: Address, before: int) -> bool:
    """Whether a seat is free: its verifier gave it up before it drew, came back since, and sat down once."""
    if seat in proof.draws(before) or proof.seats(before).count(seat) > 1:
        return False
    run = reading.run(round_.key[0])
    missed = (What.SECRET, seat)
    lapsed = [at for at, e in round_.lapsed if at < before and (e.awaited.what, e.awaited.party) == missed]
    return bool(lapsed) and any(r.party == seat and r.size > lapsed[-1] for r in earlier(run.returned, before))


def _panel(reading: Reading, round_: Round) -> int:
    terms = reading.terms(round_.key[0])
    return terms.panel if terms is not None else 0


def _late(round_: Round, proof: Proof, seat: str, before: int) -> bool:
    return any(round_.lapsed_seat(proof, what, seat, before) for what in (What.SECRET, What.WORDS))


def draws_follow(reading: Reading) -> Iterator[Breach]:
    """A seat draws after it showed its secret, and draws those segments of the proof that its anchored secret gives."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        count = proof.committed[0][1].segments if proof.committed else 0
        for index, drawn in proof.drawn:
            if drawn.verifier not in proof.seats(index):
                yield index, f"{drawn.verifier} draws for {proof.name} and has no seat"
            if drawn.verifier not in {secret.verifier for secret in earlier(round_.secrets, index)}:
                yield index, f"{drawn.verifier} draws for {proof.name} before its secret is shown"
            segments = set(drawn.segments)
            due = reading.history.draws.get((proof.name, drawn.verifier), drawn.segments)
            if not segments or not segments <= set(range(count)) or sorted(segments) != sorted(due):
                yield index, f"{drawn.verifier} draws {drawn.segments} of {proof.name}, due are {due}"


def secrets_come_from_seats(reading: Reading) -> Iterator[Breach]:
    """Nobody shows the secret of a round before a panel of it seats him."""
    for round_ in reading.rounds.values():
        for index, secret in round_.secrets:
            if not any(secret.verifier in proof.seats(index) for proof in round_.proofs):
                yield index, f"{secret.verifier} shows its secret of round {round_.key} and has no seat"


def openings_are_complete(reading: Reading) -> Iterator[Breach]:
    """A verifier's period to read begins when both ends of every segment that it drew are open."""
    for proof in reading.proofs.values():
        for index, closed in proof.openings:
            drawn = proof.draws(index).get(closed.verifier)
            opened = {entry.boundary for entry in earlier(proof.opened, index)}
            if drawn is None or not {side for segment in drawn for side in (segment, segment + 1)} <= opened:
                yield index, f"the openings of {proof.name} for {closed.verifier} are not complete"


CONDITIONS = (
    beacon_draws,
    audited_where_it_must_be,
    seats_are_the_first,
    seats_are_calibrated,
    overruled_sit_behind,
    lapsed_do_not_sit,
    seats_are_filled_in_order,
    draws_follow,
    secrets_come_from_seats,
    openings_are_complete,
)
