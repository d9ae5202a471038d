"""I8: what became of the holders' decisions, why an epoch closes and ends, and when a run is over."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge.chain_events import Decided, EpochFinal, EpochLapsed, EpochLimit, EpochStruck
from contracts.protocol.judge.entries import EpochClosed
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Run, earlier, stands_before


def decisions_have_a_ground(reading: Reading) -> Iterator[Breach]:
    """A decision is taken after its block, and in the order of the model."""
    for run in reading.runs.values():
        last = -1
        for index, taken in run.taken:
            if taken.sequence not in {event.sequence for event in reading.event(Decided, index)}:
                yield index, f"decision {taken.sequence} is taken before a final block holds it"
            if taken.sequence <= last:
                yield index, f"decision {taken.sequence} is taken after {last}"
            last = taken.sequence


def decisions_are_taken(reading: Reading) -> Iterator[Breach]:
    """Before a round opens, every decision since the run's block is applied or refused."""
    for run in reading.runs.values():
        if not run.created or not run.rounds:
            continue
        indices = {taken.sequence: index for index, taken in reversed(run.taken)}
        created, openings = run.created[0][0], [round_.opened[0][0] for round_ in run.rounds]
        for index, event in reading.events[Decided]:
            opening = next((opened for opened in openings if opened > index), None)
            if index > created and opening is not None and indices.get(event.sequence, opening) >= opening:
                yield opening, f"a round opens and decision {event.sequence} is neither applied nor refused"


def epochs_close_in_order(reading: Reading) -> Iterator[Breach]:
    """Epochs are numbered from 1 in the order of their closing, in one deployment."""
    closings = sorted((at, e.epoch) for run in reading.runs.values() for at, e in run.closings)
    for number, (index, epoch) in enumerate(closings, 1):
        if epoch != number:
            yield index, f"epoch {epoch} closes as number {number}"


def epochs_close_when_due(reading: Reading) -> Iterator[Breach]:
    """An epoch closes after its last round merged: the one that the manifest says, or the run's last."""
    for run in reading.runs.values():
        terms = reading.terms(run.name)
        for index, epoch in run.closings:
            merged = {round_.key[1] for round_ in run.rounds if stands_before(round_.merged, index)}
            if not set(range(epoch.first_round, epoch.last_round + 1)) <= merged:
                yield index, f"epoch {epoch.epoch} closes before its rounds merged"
            last = epoch.last_round == max((round_.key[1] for round_ in run.rounds), default=0)
            last = last or _was_last(reading, run, epoch, index)
            if terms is not None and not last and epoch.last_round % terms.rounds_per_epoch:
                yield index, f"epoch {epoch.epoch} closes after round {epoch.last_round}"


def _was_last(reading: Reading, run: Run, epoch: EpochClosed, index: int) -> bool:
    """Whether a vote had made its last round the run's last, or one gave the run more rounds before the next opened."""
    opening = next((r.opened[0][0] for r in run.rounds if r.key[1] == epoch.last_round + 1), reading.length)
    applied = {taken.sequence: at for at, taken in run.taken if taken.applied}
    votes = [e for _, e in reading.events[Decided] if e.key == "rounds" and e.sequence in applied]
    before = [int(event.value) for event in votes if applied[event.sequence] < index]
    more = any(index < applied[event.sequence] < opening for event in votes)
    return more or (bool(before) and before[-1] <= epoch.last_round)


def late_epochs_have_a_ground(reading: Reading) -> Iterator[Breach]:
    """An epoch without rounds of its own pays something, or holds what ended since the one before."""
    for run in reading.runs.values():
        rounds, start = 0, -1
        for index, epoch in run.closings:
            ended = any(start < at < index for at in _found(run))
            if epoch.last_round == rounds and not epoch.total and not ended:
                yield index, f"epoch {epoch.epoch} has no round, pays nothing, and nothing ended before it"
            rounds, start = epoch.last_round, index


def _found(run: Run) -> Iterator[int]:
    """Where something stands that is paid, or signed, under the next root."""
    yield from (index for found in (run.posted, run.credited, run.verifier_faults) for index, _ in found)
    yield from (index for round_ in run.rounds for proof in round_.proofs for index, _ in proof.faults)


def proofs_end_with_their_epoch(reading: Reading) -> Iterator[Breach]:
    """When the run's last epoch closes, every proof of a closing entry is posted, void or undecided."""
    for run in reading.runs.values():
        for over, _ in run.over[:1]:
            for round_ in run.rounds:
                for proof in round_.proofs:
                    if stands_before(proof.closed, over) and not stands_before(proof.ends, over):
                        yield over, f"run {run.name} is over and {proof.name} has no end"


def attempts_have_a_ground(reading: Reading) -> Iterator[Breach]:
    """A further attempt follows a root that holders struck down, or whose dispute lapsed; the same one is closed anew
    only when its deadline has passed or the limit fell below it. All are of the time at which it closed first."""
    for run in reading.runs.values():
        for index, epoch in run.epochs:
            last = next(reversed(_attempts(run, epoch, index)), None)
            if last is None:
                continue
            fell = epoch.attempt == last.attempt + 1 and _fell(reading, last, index)
            anew = epoch.attempt == last.attempt and (_is_late(reading, last, index) or _is_cut(reading, last, index))
            if epoch.settled_at != last.settled_at:
                yield index, f"epoch {epoch.epoch} closes anew with another time than it closed at"
            if not (fell or anew):
                yield index, f"epoch {epoch.epoch} has attempt {epoch.attempt} without a ground"


def _attempts(run: Run, epoch: EpochClosed, before: int) -> list[EpochClosed]:
    return [entry for entry in earlier(run.epochs, before) if entry.epoch == epoch.epoch]


def _fell(reading: Reading, epoch: EpochClosed, before: int) -> bool:
    fallen: tuple[EpochStruck | EpochLapsed, ...] = (
        *reading.event(EpochStruck, before),
        *reading.event(EpochLapsed, before),
    )
    return any((event.epoch, event.attempt) == (epoch.epoch, epoch.attempt) for event in fallen)


def _is_late(reading: Reading, epoch: EpochClosed, before: int) -> bool:
    block = reading.block(before)
    return block is not None and block.time > epoch.deadline


def _is_cut(reading: Reading, epoch: EpochClosed, before: int) -> bool:
    """The limit fell below it."""
    limit = next(reading.event(EpochLimit, before), None)
    return limit is not None and limit.total < epoch.total


def ends_follow_the_chain(reading: Reading) -> Iterator[Breach]:
    """An epoch ends when a final block says so, as ours exactly where the root is the one that follows from the log."""
    for index, ended in reading.ended:
        final = next((event for event in reading.event(EpochFinal, index) if event.epoch == ended.epoch), None)
        if final is None:
            yield index, f"epoch {ended.epoch} ends before a final block says so"
            continue
        closed = earlier(reading.epochs.get(ended.epoch, ()), index)
        if (ended.attempt, ended.root) != (final.attempt, final.root):
            yield index, f"epoch {ended.epoch} ends with {ended.root}, and the chain made {final.root} final"
        if ended.ours != any((epoch.attempt, epoch.root) == (final.attempt, final.root) for epoch in closed):
            yield index, f"epoch {ended.epoch} ends with {final.root}, ours: {ended.ours}"


def runs_end_when_settled(reading: Reading) -> Iterator[Breach]:
    """A run is over when the epoch of its last round has closed."""
    for run in reading.runs.values():
        for over, _ in run.over:
            last = max((epoch.last_round for at, epoch in run.closings if at < over), default=0)
            if any(round_.key[1] > last for round_ in run.rounds if round_.opened[0][0] < over):
                yield over, f"run {run.name} is over before the epoch of its last round closes"


def a_run_that_is_over_owes_nothing(reading: Reading) -> Iterator[Breach]:
    """What its epochs carry over is due in a later one."""
    for run in reading.runs.values():
        for over, _ in run.over[:1]:
            start = max((index for index, _ in run.closings if index < over), default=-1)
            left = sum(ended.carried for at, ended in run.ended if start < at < over)
            if left:
                yield over, f"run {run.name} is over, and {left} units are owed"


def no_stake_leaves_early(reading: Reading) -> Iterator[Breach]:
    """No node is found at fault for a round that a closed epoch, of whichever run, has called settled (J14)."""
    closed = sorted((at, epoch) for run in reading.runs.values() for at, epoch in run.epochs)
    for proof in reading.proofs.values():
        for index, fault in proof.faults:
            opened = reading.opened_at(proof)
            if fault.at_fault and any(at < index and opened < epoch.settled_at for at, epoch in closed):
                yield index, f"{proof.name} is at fault after an epoch that calls its round settled"


CONDITIONS = (
    decisions_have_a_ground,
    decisions_are_taken,
    epochs_close_in_order,
    epochs_close_when_due,
    late_epochs_have_a_ground,
    proofs_end_with_their_epoch,
    attempts_have_a_ground,
    no_stake_leaves_early,
    ends_follow_the_chain,
    runs_end_when_settled,
    a_run_that_is_over_owes_nothing,
)
