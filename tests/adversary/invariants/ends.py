"""I5: under the premise every proof, round and epoch comes to an end, within a number of periods.

The bound counts *waits*: one wait ends with what is awaited, or with k `Lapse` after one whole period. Of the verifiers
of a round at most k - 1 do not answer (n - k + 1 are present, or k of 2k - 1). In the worst case one follows another:

- opening to closing: 2 (a node that never delivered lapses after twice the time of the others), 1 for `Has`;
- closing to panel: the chain's time, not counted (see `History.chain_stood` for its stops elsewhere);
- panel to the last draw and word: k times 4 (one seat after another: its secret, the openings of its draw, once more,
  its words), as each of the k - 1 who do not answer hands its seat to the next;
- the bench: 4 (its words, the words of the rest, the second look, the words that it brings);
- the pledge: 2, and 4 for the bench over the segment that it names;
- the merge: 1.

Together 4k + 14. A wait may be longer than its period by what a look, handing on and entering take, and an answer may
come just before the lapse is complete: that is `LATENESS`, counted as one more period at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.ids import RunId
from contracts.protocol.judge.entries import Undecided
from contracts.protocol.judge.facts import What
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, earlier

LATENESS = 2
PLEDGE_WAITS = 2


def waits_of_a_round(k: int) -> int:
    """Waits between the opening of a round and its merge, the beacon's block left out."""
    return 4 * k + 14


def bound_of_a_round(k: int) -> int:
    """B: periods between the opening of a round and its merge, the beacon's block left out."""
    return LATENESS * waits_of_a_round(k)


def ran_to_its_end(reading: Reading) -> Iterator[Breach]:
    """The history came to its planned end, unless the operator stopped everything or left the rules."""
    history = reading.history
    excused = history.deserted or history.deviations or history.stopped
    if reading.premise and not (history.complete or excused):
        yield len(history.entries) - 1, "nothing is due any more and the history is not at its planned end"


def _ended(reading: Reading) -> bool:
    return reading.premise and reading.complete


def proofs_end(reading: Reading) -> Iterator[Breach]:
    """Every proof of a closing entry is posted, void or undecided."""
    for proof in reading.proofs.values():
        if _ended(reading) and proof.closed and not proof.ends:
            yield proof.closed[0][0], f"{proof.name} is in the closing entry and has no end"


def _came_late(proof: Proof, before: int) -> bool:
    """Whether a second look lapsed though one of those who said `unserved` replaced it by then."""
    replaced = any(len(list(earlier(words, before))) > 1 for words in proof.words.values())
    return replaced and proof.has_lapsed(What.SECOND_LOOK, before)


def nothing_is_undecided(reading: Reading) -> Iterator[Breach]:
    """k present honest verifiers read whatever is questioned, and bytes that one has all have: they say the same.

    Where a segment is beyond the limits of some of them (bounded runs), or takes them too long, it may be otherwise; so
    may it where its bytes came to one of them just before a second look was over, and another one's word stands behind.
    """
    for proof in reading.proofs.values():
        work = reading.history.work.get(proof.name)
        for index, end in proof.ends:
            readable = work is None or not (work.drifts or work.heavy)
            if isinstance(end, Undecided) and _ended(reading) and readable and not _came_late(proof, index):
                yield index, f"{proof.name} is undecided, though k honest verifiers read it"


def voids_end(reading: Reading) -> Iterator[Breach]:
    """For every void it is derived whether its node is at fault."""
    for proof in reading.proofs.values():
        if _ended(reading) and proof.voided is not None and not proof.faults:
            yield proof.voided[0], f"{proof.name} is void and nothing says whether its node is at fault"


def rounds_end(reading: Reading) -> Iterator[Breach]:
    """Every opened round merges."""
    for round_ in reading.rounds.values():
        if _ended(reading) and round_.opened and not round_.merged:
            yield round_.opened[0][0], f"round {round_.key} does not merge"


def epochs_end(reading: Reading) -> Iterator[Breach]:
    """Every merged round belongs to an epoch that closed."""
    for run in reading.runs.values():
        last = max((epoch.last_round for _, epoch in run.closings), default=0)
        for round_ in run.rounds:
            if _ended(reading) and round_.merged and round_.key[1] > last:
                yield round_.merged[0][0], f"round {round_.key} belongs to no closed epoch"


def rounds_are_bounded(reading: Reading) -> Iterator[Breach]:
    """From opening to merge, without the wait for the beacon's block, a round takes at most B periods."""
    for round_ in reading.rounds.values():
        if not reading.premise or _is_forked(reading) or not round_.opened:
            continue
        start = round_.opened[0][0]
        end = _tick(reading, round_.merged[0][0]) if round_.merged else _last(reading)
        taken = end - _tick(reading, start) - _chain_wait(reading, round_.key)
        if taken > bound_of_a_round(round_.k) * reading.history.period + _stood(reading):
            yield start, f"round {round_.key} takes {taken} ticks, more than {bound_of_a_round(round_.k)} periods"


def _chain_wait(reading: Reading, key: tuple[RunId, int]) -> int:
    """Ticks between a closing entry and the first panel, or until now."""
    round_ = reading.round(key)
    if not round_.closed:
        return 0
    panels = [index for proof in round_.proofs for index, _ in proof.panels]
    until = _tick(reading, min(panels)) if panels else (_tick(reading, round_.merged[0][0]) if round_.merged else None)
    return (_last(reading) if until is None else until) - _tick(reading, round_.closed[0][0])


def faults_are_bounded(reading: Reading) -> Iterator[Breach]:
    """From a void to its fault it takes at most the two periods of a pledge, each with its lateness."""
    limit = LATENESS * PLEDGE_WAITS * reading.history.period + _stood(reading)
    for proof in reading.proofs.values():
        if not reading.premise or _is_forked(reading) or proof.voided is None:
            continue
        end = _tick(reading, proof.faults[0][0]) if proof.faults else _last(reading)
        if end - _tick(reading, proof.voided[0]) > limit:
            yield proof.voided[0], f"{proof.name} is void, and its fault takes more than {limit} ticks"


def _is_forked(reading: Reading) -> bool:
    """Who sees that the operator shows two logs signs nothing more, so that nothing lapses."""
    return any(deviation.kind == "forked" for deviation in reading.history.deviations)


def _tick(reading: Reading, index: int) -> int:
    return reading.history.ticks[index]


def _last(reading: Reading) -> int:
    """The last tick of which the history knows; with a departure in the log, that of the departure."""
    ticks = reading.history.ticks
    if reading.deviations:
        return ticks[reading.length - 1] if reading.length else 0
    return max(reading.history.ended, ticks[-1] if ticks else 0)


def _stood(reading: Reading) -> int:
    return reading.history.stopped + reading.history.chain_stood


INVARIANT = Invariant(
    "I5",
    (
        ran_to_its_end,
        proofs_end,
        nothing_is_undecided,
        voids_end,
        rounds_end,
        epochs_end,
        rounds_are_bounded,
        faults_are_bounded,
    ),
)
check = INVARIANT.check
