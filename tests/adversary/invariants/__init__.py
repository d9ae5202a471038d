"""The invariants I1 to I9 of judgement, written apart from the machine: statements about histories.

`check_all` reads a history once and asks all that one history can answer; `Earnings` is I7, over many of them.
"""

from __future__ import annotations

from tests.adversary.history import History
from tests.adversary.invariants import causes, departures, ends, merges, money, nodes, quiet, verifiers
from tests.adversary.invariants.core import Broken, Invariant
from tests.adversary.invariants.earnings import Earnings
from tests.adversary.invariants.reading import Reading

INVARIANTS: tuple[Invariant, ...] = (
    merges.INVARIANT,
    nodes.INVARIANT,
    verifiers.INVARIANT,
    departures.INVARIANT,
    ends.INVARIANT,
    money.INVARIANT,
    causes.INVARIANT,
    quiet.INVARIANT,
)

__all__ = ["INVARIANTS", "Broken", "Earnings", "Invariant", "Reading", "check_all"]


def check_all(history: History, earnings: Earnings | None = None) -> None:
    """All invariants of one history, and its part of I7. Raises Broken."""
    reading = Reading(history)
    for invariant in INVARIANTS:
        invariant.check_reading(reading)
    if earnings is not None:
        earnings.add_reading(reading)
