"""Play histories and hold them against the invariants; what breaks is told with its seed."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.adversary.invariants import Broken, Earnings, check_all
from tests.adversary.sim import simulate

AGAIN, AGAIN_FROM = 2_000, 2_000_000_000
"""Histories of a strategy that seems to pay, and the first of their seeds."""


@dataclass(frozen=True)
class Break:
    """What a seed broke: an invariant, or (an exception's name) the machine, the simulator or a checker."""

    seed: int
    invariant: str
    what: str


@dataclass
class Played:
    """What many histories gave: how many of each strategy, how many entries, and what broke."""

    histories: int = 0
    entries: int = 0
    strategies: Counter[str] = field(default_factory=Counter)
    broken: list[Break] = field(default_factory=list)
    earnings: Earnings = field(default_factory=Earnings)

    def add(self, other: Played) -> None:
        """Take what another process played in."""
        self.histories += other.histories
        self.entries += other.entries
        self.strategies.update(other.strategies)
        self.broken += other.broken
        self.earnings.merge(other.earnings)

    def check_earnings(self) -> None:
        """I7: each strategy that seems to pay is played alone from fresh seeds, and these decide."""
        for strategy in self.earnings.suspects():
            again = Played()
            for seed in range(AGAIN_FROM, AGAIN_FROM + AGAIN):
                play_one(again, seed, strategy)
            self.broken += again.broken
            try:
                again.earnings.check()
            except Broken as error:
                self.broken.append(Break(error.seed, error.invariant, str(error)))


def play_seeds(seeds: Iterable[int], strategy: str | None = None, most: int = 5) -> Played:
    """Play until the seeds end, or `most` histories broke something."""
    played = Played()
    for seed in seeds:
        play_one(played, seed, strategy)
        if len(played.broken) >= most:
            break
    played.check_earnings()
    return played


def play_one(played: Played, seed: int, strategy: str | None = None) -> None:
    """Play one history, check it and count it in."""
    try:
        history = simulate(seed, strategy)
        played.histories += 1
        played.entries += len(history.entries)
        played.strategies[history.strategy] += 1
        check_all(history, played.earnings)
    except Broken as error:
        played.broken.append(Break(seed, error.invariant, str(error)))
    except Exception as error:
        what = f"seed {seed} ends in an exception: {traceback.format_exc(limit=-2)}"
        played.broken.append(Break(seed, type(error).__name__, what))
