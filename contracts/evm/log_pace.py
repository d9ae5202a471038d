"""How many blocks of logs a chain node takes at a time: learnt by asking, remembered for each node in this process.

A limit that stays is found by halving, and tried again ever more seldom; a stretch with many logs passes, and then the
pieces grow to what they were.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

MOST_BLOCKS = 10_000
"""Blocks in one piece: more than most providers take."""
MOST_LOGS = 10_000
"""Logs in one piece, which is held in memory: where there are more, the next one is half as wide."""
SHORTEST_PATIENCE, LONGEST_PATIENCE = 2, 256
"""Pieces that are given at one width before twice as much is tried."""
OF_TIME = 10
"""The divisor of a piece that took too long: each try costs the whole time limit."""


class LogPace:
    """The pace of one node. `span` is the number of blocks that it takes, as far as is known. Threads may share it."""

    def __init__(self) -> None:
        self.span = MOST_BLOCKS
        self._given = 0
        self._patience = SHORTEST_PATIENCE
        self._trying = False
        self._lock = threading.Lock()

    def blocks(self) -> int:
        """How many blocks to ask for."""
        return max(1, min(self.span, MOST_BLOCKS))

    def refused(self, count: int, slow: bool = False) -> int:
        """`count` blocks were too many; how many to ask for now."""
        with self._lock:
            if self._trying and count == self.span:
                self._patience = min(2 * self._patience, LONGEST_PATIENCE)
                divisor = 2  # back to what was given before
            else:
                divisor = OF_TIME if slow else 2
            self.span = max(1, count // divisor)
            self._given = 0
            self._trying = False
            return self.span

    def given(self, count: int, logs: int) -> None:
        """`count` blocks were answered, with so many logs."""
        with self._lock:
            if logs > MOST_LOGS:
                self.span = max(1, count // 2)
                self._given = 0
                self._trying = False
                return
            if count < self.blocks():
                return  # a short range says nothing about a longer one
            if self._trying:
                self._trying = False
                self._patience = SHORTEST_PATIENCE
            self._given += 1
            if self._given >= self._patience and self.span < MOST_BLOCKS:
                self.span = min(2 * self.span, MOST_BLOCKS)
                self._given = 0
                self._trying = True


_BY_ADDRESS: dict[str, LogPace] = {}
_BY_PROVIDER: WeakKeyDictionary[Any, LogPace] = WeakKeyDictionary()
_LOCK = threading.Lock()


def pace_of(provider: Any) -> LogPace:
    """The pace of the provider's address, or the provider's own where it has none."""
    address = getattr(provider, "endpoint_uri", None)
    with _LOCK:
        if isinstance(address, str):
            return _BY_ADDRESS.setdefault(address, LogPace())
        return _BY_PROVIDER.setdefault(provider, LogPace())
