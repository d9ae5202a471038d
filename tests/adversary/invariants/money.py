"""I6, first half: what an epoch pays is what was emitted and is owed, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge.chain_events import EpochFinal, EpochLimit
from contracts.protocol.judge.entries import EpochClosed
from tests.adversary.invariants import capital, identities, shares
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.shares import emission_of, is_struck, weights_of
from tests.adversary.invariants.views import At


def _epochs(reading: Reading) -> Iterator[tuple[int, EpochClosed, bool]]:
    """Every attempt of every epoch: index, entry, whether it follows a struck one."""
    for run in reading.runs.values():
        for index, epoch in run.epochs:
            yield index, epoch, is_struck(reading, epoch, index)


def lines_make_the_total(reading: Reading) -> Iterator[Breach]:
    """The lines of an epoch sum to its total; each is more than nothing."""
    for index, epoch, _ in _epochs(reading):
        total = sum(line.amount for line in epoch.lines)
        if total != epoch.total or any(line.amount <= 0 for line in epoch.lines):
            yield index, f"epoch {epoch.epoch} has lines of {total} and a total of {epoch.total}"


def total_is_due_or_cut(reading: Reading) -> Iterator[Breach]:
    """The total is all that is due, or the contract's limit: in the first root of an epoch and in each later one, also
    where a dispute lapsed."""
    for index, epoch, struck in _epochs(reading):
        limit = next(reading.event(EpochLimit, index), None)
        stated = epoch.due if limit is None else min(epoch.due, limit.total)
        if not struck and epoch.total != stated:
            yield index, f"epoch {epoch.epoch} pays {epoch.total}, and {stated} is due within the limit"


def struck_root_pays_nothing(reading: Reading) -> Iterator[Breach]:
    """No attempt after a root that holders struck down pays."""
    for index, epoch, struck in _epochs(reading):
        if struck and (epoch.total or epoch.lines):
            yield index, f"epoch {epoch.epoch} was struck down, and attempt {epoch.attempt} pays {epoch.total}"


def due_is_emitted_and_carried(reading: Reading) -> Iterator[Breach]:
    """Due is the emission of the epoch's rounds and what the run's epochs that ended since its last closing carry over.
    An epoch to which nobody contributed emits nothing: or who keeps others from working would earn it later.

    With `carried_is_unpaid`, for each run: all that final roots paid, all that is due in pending epochs and what is
    carried and not yet taken up are the emissions of the epochs that closed.
    """
    for run in reading.runs.values():
        terms, start, due = reading.terms(run.name), -1, dict[int, int]()
        paid = 0
        for index, epoch in run.epochs:
            if terms is not None and epoch.epoch not in due:
                carried = sum(ended.carried for at, ended in run.ended if start < at < index)
                worked = any(sum(accounts.values()) for accounts in weights_of(run, start, index).values())
                emission = emission_of(terms, epoch, paid) if worked else 0
                due[epoch.epoch], start, paid = emission + carried, index, epoch.last_round
            if terms is not None and epoch.due != due.get(epoch.epoch, epoch.due):
                yield index, f"epoch {epoch.epoch} has {epoch.due} due, and {due[epoch.epoch]} is emitted and carried"


def carried_is_unpaid(reading: Reading) -> Iterator[Breach]:
    """What an epoch carries over is what its final root leaves of what was due, and nothing where holders struck one
    down; under another root no more than due."""
    for run in reading.runs.values():
        for index, ended in run.ended:
            closed = [epoch for at, epoch in run.epochs if epoch.epoch == ended.epoch and at < index]
            final = _final(reading, closed, index)
            left = 0 if final is None or is_struck(reading, final, index) else final.due - final.total
            wrong = ended.ours and final is not None and ended.carried != left
            if wrong or (closed and not 0 <= ended.carried <= closed[0].due):
                yield index, f"epoch {ended.epoch} carries {ended.carried} over"


def _final(reading: Reading, closed: list[EpochClosed], before: int) -> EpochClosed | None:
    """The closing whose root the chain made final."""
    roots = {(event.epoch, event.attempt, event.root) for event in reading.event(EpochFinal, before)}
    return next((epoch for epoch in closed if (epoch.epoch, epoch.attempt, epoch.root) in roots), None)


def lines_are_distinct(reading: Reading) -> Iterator[Breach]:
    """An account has one line a kind."""
    for index, epoch, _ in _epochs(reading):
        if len({(line.account.lower(), line.kind) for line in epoch.lines}) != len(epoch.lines):
            yield index, f"epoch {epoch.epoch} has two lines for one account and kind"


def nothing_is_left(reading: Reading) -> Iterator[Breach]:
    """When a run is over, or its history at its end, everything posted or credited before is in a closed epoch."""
    for run in reading.runs.values():
        last = max((index for index, _ in run.closings), default=-1)
        over = run.over[0][0] if run.over else reading.length
        if not run.over and not (reading.complete and reading.premise):
            continue
        paid: list[At[object]] = [*run.posted, *run.credited]
        for index, entry in paid:
            if last < index < over:
                yield index, f"{entry} is in no epoch"


def epochs_join(reading: Reading) -> Iterator[Breach]:
    """The rounds of an epoch begin where those of the run's last one end; late ends of a paid round add none."""
    for run in reading.runs.values():
        rounds = 0
        for index, epoch in run.closings:
            late = epoch.first_round == epoch.last_round == rounds
            if not late and (epoch.first_round != rounds + 1 or epoch.last_round < epoch.first_round):
                yield (
                    index,
                    f"epoch {epoch.epoch} is of rounds {epoch.first_round} to {epoch.last_round}, after {rounds}",
                )
            rounds = epoch.last_round


INVARIANT = Invariant(
    "I6",
    (
        lines_make_the_total,
        total_is_due_or_cut,
        struck_root_pays_nothing,
        due_is_emitted_and_carried,
        carried_is_unpaid,
        shares.pay_stays_with_who_earned_it,
        lines_are_distinct,
        nothing_is_left,
        epochs_join,
        *identities.CONDITIONS,
        *capital.CONDITIONS,
    ),
)
check = INVARIANT.check
