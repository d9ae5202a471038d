"""When the keeper's next pass is due: when something happened, and else when something will be due.

    a commit, of this process or another one         at once
    a new block at the chain's head                  when it is seen: the head is read when the next one is expected
    a part of the keeper that became this process's  at once
    a call that is to be sent, or tried again        at its second
    a step that failed                               after AGAIN_SECONDS

A pass costs as much as everything that may be due; so where nothing is, none is made.
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
"""Between two passes whatever is heard: silence is no proof."""
TICK_SECONDS = 2.5
"""Between two looks at the leases at most, which end by themselves (ledger/relay_rules.py:lease_seconds)."""
LEAST_SECONDS = 0.3
"""Between two looks at the head of a chain, however fast its blocks are."""
EARLY, OFTEN = 0.9, 0.15
"""Parts of the time between two blocks: when the next one is looked for, and how often from then on."""


@dataclass(frozen=True)
class Head:
    """The newest block of the chain."""

    number: int
    hash: str
    time: int


class Pace:
    """When the chain's head is worth a look: shortly before the next block is expected, as its blocks come, and then
    several times a block."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Head | None = None
        self._seen = self._spacing = 0.0

    @property
    def seconds(self) -> float:
        """From now to the next look, at most until the next tick."""
        expected = self._seen + EARLY * self._spacing - self._clock()
        return min(TICK_SECONDS, max(LEAST_SECONDS, expected, OFTEN * self._spacing))

    def saw(self, head: Head) -> bool:
        """Whether it is another one than before."""
        last = self._last
        self._last = head
        if last == head:
            return False
        self._seen = self._clock()
        if last is not None and head.number > last.number and head.time > last.time:
            self._spacing = (head.time - last.time) / (head.number - last.number)
        return True

    def lost(self) -> None:
        """The chain did not answer: what it says next is news."""
        self._last = None
        self._spacing = 0.0


class Pulse:
    """Of one keeper. `pause` is the least time between two passes, in seconds."""

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
        """Whether a pass is, as far as the database and the clock say."""
        return self._changes.count != self._seen or self._clock() >= self._next

    def again(self) -> None:
        """Something failed outside of a pass: the next one, which says so, is due soon."""
        self._next = min(self._next, self._clock() + AGAIN_SECONDS)

    def begun(self) -> None:
        """A pass: what is committed from here on is for the next one."""
        self._seen = self._changes.count

    def ended(self, failed: bool, due_in: float | None) -> None:
        """The pass, and in how many seconds something that it left will be due."""
        self._ended = self._clock()
        waits = [LONGEST_SECONDS] + [AGAIN_SECONDS] * failed + ([max(0.0, due_in)] if due_in is not None else [])
        self._next = self._ended + max(self._pause, min(waits))
