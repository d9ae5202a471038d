"""Bytes that several may have: one is asked after the other, and a slow one holds up nothing.

A source that is not done within a grace gets a rival, while there are others to ask: the one of the two that brought
less since the last look at both is left. The last one has to bring the least rate, in one of every few looks: bytes
that it brought before buy it no time. A source that was left is asked again where the kept one failed in the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

SLOW = 3
"""Looks in a row at which the only one that is asked may be slower than the rate."""


@dataclass
class SourcePace:
    """The pace of one source's bytes: `start` when it is asked, `add` with each part."""

    began: float | None = None
    count: int = 0
    seen: int = 0
    """Bytes that were there at the last look."""
    slow: int = 0
    """Looks in a row at which it had brought less than the rate."""
    whole: bool = False
    """All bytes are here, and are being looked at: nobody is slow any more."""

    def start(self) -> None:
        """The source is asked now: before that it is not late."""
        self.began = time.monotonic()

    def add(self, count: int) -> None:
        """So many bytes came."""
        self.count += count

    def look(self, seconds: float, rate: float) -> int:
        """Bytes since the last look, which was so many seconds ago. A source that waits its turn is not late."""
        came = self.count - self.seen
        self.seen = self.count
        self.slow = self.slow + 1 if self.began is not None and came < seconds * rate else 0
        return came


Attempt: TypeAlias = Callable[[SourcePace], Awaitable[bool]]
"""Asks one source; returns whether all is here. Raises nothing."""


@dataclass
class _Race:
    waiting: deque[Attempt]
    grace: float
    rate: float
    left: list[Attempt] = field(default_factory=list)
    running: dict[asyncio.Task[bool], tuple[Attempt, SourcePace]] = field(default_factory=dict)

    async def run(self) -> bool:
        while self._begin():
            done, _ = await asyncio.wait(self.running, timeout=self.grace, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self.running[task]
                if task.result():
                    return True
            if not done:
                self._leave()
        return False

    def _begin(self) -> bool:
        """One more, if there is one, and only one is asked; false where nobody is left to ask."""
        if not self.running and not self.waiting:
            self.waiting = deque(self.left)
            self.left = []
        if self.waiting and len(self.running) < 2:
            attempt = self.waiting.popleft()
            pace = SourcePace()
            self.running[asyncio.ensure_future(_run(attempt, pace))] = (attempt, pace)
        return bool(self.running)

    def _leave(self) -> None:
        """Leave the slower of two, to be asked again perhaps; the only one if it does not bring the least rate."""
        if any(pace.whole for _, pace in self.running.values()):
            return
        came = {task: pace.look(self.grace, self.rate) for task, (_, pace) in self.running.items()}
        slowest = min(came, key=lambda task: came[task])
        attempt, pace = self.running[slowest]
        if len(self.running) > 1:
            self.left.append(attempt)
        elif self.waiting or pace.slow < SLOW:
            return
        slowest.cancel()
        del self.running[slowest]


async def _run(attempt: Attempt, pace: SourcePace) -> bool:
    return await attempt(pace)


async def first(attempts: Sequence[Attempt], grace: float, rate: float) -> bool:
    """Ask one after the other until one has brought all; `grace` seconds lie between two looks at who is slower, and
    the last one has to bring `rate` bytes a second."""
    race = _Race(deque(attempts), grace, rate)
    try:
        return await race.run()
    finally:
        for task in race.running:
            task.cancel()
        await asyncio.gather(*race.running, return_exceptions=True)
