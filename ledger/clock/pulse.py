"""The time of the keeper's next pass: at an event, and else when something will be due.

    a commit, of this process or another one         at once
    a new block at the chain's head                  when the head is read: around the time of the next block
    a part of the keeper that became this process's  at once
    a call that is to be sent, or tried again        at its second
    a step that failed                               after AGAIN_SECONDS

A pass asks for everything that may be due; so no pass is made where nothing is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.storage.changes import Changes

AGAIN_SECONDS = 1.0
"""Between two passes while chain or database do not answer, or a step fails."""
LONGEST_SECONDS = 15.0
"""Between two passes at most, without any event: silence is no proof."""
TICK_SECONDS = 2.5
"""Between two looks at the leases at most: leases end by themselves (ledger/relay_rules.py:lease_seconds)."""
LEAST_SECONDS = 0.3
"""Between two looks at the head of a chain, however fast its blocks are."""
EARLY, OFTEN = 0.9, 0.15
"""Parts of the time between two blocks: when the next one is looked for, and how often from then on."""


@dataclass(frozen=True)
class ChainHead:
    """The newest block of the chain."""

    number: int
    hash: str
    time: int


class HeadTimer:
    """The time of the next look at the chain's head: shortly before the next block is expected by the spacing of
    blocks, and then several times a block."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: ChainHead | None = None
        self._seen = self._spacing = 0.0

    @property
    def seconds(self) -> float:
        """Seconds from now to the next look, at most until the next tick."""
        expected = self._seen + EARLY * self._spacing - self._clock()
        return min(TICK_SECONDS, max(LEAST_SECONDS, expected, OFTEN * self._spacing))

    def saw(self, head: ChainHead) -> bool:
        """Note the newest block; whether it is another one than before."""
        last = self._last
        self._last = head
        if last == head:
            return False
        self._seen = self._clock()
        if last is not None and head.number > last.number and head.time > last.time:
            self._spacing = (head.time - last.time) / (head.number - last.number)
        return True

    def lost(self) -> None:
        """The chain did not answer: its next answer is a new head."""
        self._last = None
        self._spacing = 0.0


class KeeperPulse:
    """The times of one keeper. `pause` is the least time between two passes, in seconds."""

    def __init__(self, changes: Changes, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._pause = pause
        self._clock = clock
        self._seen = -1
        self._ended = float("-inf")
        self._next = self._latest = clock()

    def rest(self, stop: threading.Event, tick: float) -> bool:
        """Sleep until something was committed, a pass is due, or `tick` seconds have passed; False where told to
        stop."""
        end = min(self._clock() + tick, max(self._next, self._ended + self._pause))
        self._changes.wait(self._seen, end - self._clock(), stop)
        return not stop.wait(max(0.0, self._ended + self._pause - self._clock()))

    def is_due(self) -> bool:
        """Whether a pass is due by the database's changes and the clock."""
        return self._changes.count != self._seen or self._clock() >= self._next

    def again(self) -> None:
        """Something failed outside of a pass: the next pass, which reports it, is due soon."""
        self._next = min(self._next, self._clock() + AGAIN_SECONDS)

    def begun(self) -> None:
        """A pass begins: commits from here on are for the next one."""
        self._seen = self._changes.count

    def ended(self, failed: bool, due_in: float | None) -> None:
        """A pass ended; `due_in` are the seconds until something that it left will be due."""
        self._ended = self._clock()
        waits = [LONGEST_SECONDS] + [AGAIN_SECONDS] * failed + ([max(0.0, due_in)] if due_in is not None else [])
        self._next = self._ended + max(self._pause, min(waits))
