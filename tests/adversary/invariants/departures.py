"""I4: an operator that departs from the rules is found."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge.chain_events import EpochFinal
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.judge.facts import Block
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import IN_THE_LOG, Reading


def derived_entries_found(reading: Reading) -> Iterator[Breach]:
    """A departure in a derived entry is found by the log and the chain, whoever else is corrupt."""
    for deviation in reading.history.deviations:
        if deviation.kind in IN_THE_LOG and not deviation.found:
            yield deviation.index, f"nobody found what was {deviation.kind}: {deviation.detail}"


def messages_found(reading: Reading) -> Iterator[Breach]:
    """Under the premise: a dropped message and a second log are found by the mirrors."""
    for deviation in reading.history.deviations:
        if deviation.kind not in IN_THE_LOG and reading.premise and not deviation.found:
            yield deviation.index, f"nobody found what was {deviation.kind}: {deviation.detail}"


def nothing_final_after_it(reading: Reading) -> Iterator[Breach]:
    """Under the premise: no root that was closed after a departure in a derived entry becomes final.

    A root that the rules give at that very place is no root of the operator's: every replica has derived and signed it;
    nor is one that closed before, and closes anew with the same root.
    """
    if not reading.deviations or not reading.premise:
        return
    due = {e.root for d in reading.history.deviations for e in d.due if isinstance(e, EpochClosed)}
    due |= {e.root for e in reading.history.entries[: reading.length] if isinstance(e, EpochClosed)}
    roots: set[str] = set()
    for index, entry in enumerate(reading.history.entries[reading.length :], reading.length):
        if isinstance(entry, EpochClosed):
            roots |= {entry.root} - due
        elif isinstance(entry, Block):
            for event in entry.events:
                if isinstance(event, EpochFinal) and event.root in roots:
                    yield index, f"epoch {event.epoch} is final although the log departs at {reading.length}"


INVARIANT = Invariant("I4", (derived_entries_found, messages_found, nothing_final_after_it))
check = INVARIANT.check
