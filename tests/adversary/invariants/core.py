"""What an invariant is: conditions over the reading of one history, each of which yields what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.adversary.history import History
from tests.adversary.invariants.reading import Reading

Breach: TypeAlias = tuple[int, str]
"""The index of an entry (-1: of none) and a sentence."""
Condition: TypeAlias = Callable[[Reading], Iterator[Breach]]


class Broken(AssertionError):
    """An invariant does not hold in the history of a seed."""

    def __init__(self, invariant: str, seed: int, what: str, index: int = -1) -> None:
        self.invariant = invariant
        self.seed = seed
        self.what = what
        self.index = index
        super().__init__(f"{invariant} is broken by seed {seed} at entry {index}: {what}")


@dataclass(frozen=True)
class Invariant:
    """A number of the page's table, and the conditions that make it."""

    name: str
    conditions: tuple[Condition, ...]

    def check(self, history: History) -> None:
        """Raises Broken."""
        self.check_reading(Reading(history))

    def check_reading(self, reading: Reading) -> None:
        """As `check`, for who reads a history once for all invariants. Raises Broken."""
        for condition in self.conditions:
            for index, what in condition(reading):
                raise Broken(self.name, reading.history.seed, what, index)

    def without(self, condition: Condition) -> Invariant:
        """The same with one condition removed: a broken checker, for the tests."""
        return replace(self, conditions=tuple(kept for kept in self.conditions if kept is not condition))
