"""Play histories and hold them against the invariants; what breaks is told with its seed, made smaller."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.adversary.invariants import Broken, Earnings, check_all
from tests.adversary.sim import simulate


@dataclass
class Played:
    """What many histories gave: how many of each strategy, how many entries, and what broke (seed and sentence)."""

    histories: int = 0
    entries: int = 0
    strategies: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    earnings: Earnings = field(default_factory=Earnings)


def play_seeds(seeds: Iterable[int], strategy: str | None = None, most: int = 5) -> Played:
    """Play until the seeds end, or `most` histories broke something."""
    played = Played()
    for seed in seeds:
        _play(played, seed, strategy)
        if len(played.broken) >= most:
            break
    try:
        played.earnings.check()
    except Broken as error:
        played.broken.append(str(error))
    return played


def _play(played: Played, seed: int, strategy: str | None) -> None:
    try:
        history = simulate(seed, strategy)
        played.histories += 1
        played.entries += len(history.entries)
        played.strategies[history.strategy] += 1
        check_all(history, played.earnings)
    except Broken as error:
        played.broken.append(str(error))
    except Exception:
        played.broken.append(f"seed {seed} ends in an exception: {traceback.format_exc(limit=-2)}")
