"""A clock that is off is named, with the difference: by the newest block of a chain node, or by a server's `Date`.

It is only told. Nothing is corrected by it, and nothing but a signature's deadline depends on a wall clock
(docs/operate.md lists each use).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from contracts.process.outage import duration

LIMIT_SECONDS = 30.0
"""Seconds by which a clock may differ unsaid."""

Clock = Callable[[], float]


def since_boot() -> float:
    """Seconds that pass also while the machine sleeps, where the system counts them; no clock that anybody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ClockWatch:
    """Says once that this machine's clock is off, and once that it is right again. One thread."""

    def __init__(self, say: Callable[[str], None], wall: Clock = time.time, passed: Clock = since_boot) -> None:
        self._say = say
        self._wall = wall
        self._passed = passed
        self._newest: float | None = None
        self._asked = 0.0
        self._off = 0.0

    def block(self, at: float) -> None:
        """The newest block's time (Unix seconds), which the chain node has just told.

        A chain may rest, so that only a block that is new since it was asked last says that a clock is ahead; a block
        of a time to come says at once that it is behind.
        """
        now = self._wall()
        passed = self._passed()
        since = passed - self._asked
        is_new = self._newest is not None and at > self._newest
        self._newest = at
        self._asked = passed
        ahead = now - at
        if ahead < -LIMIT_SECONDS:
            self._judge(ahead, at, "the newest block of the chain node")
        elif is_new:
            self._judge(ahead if ahead > LIMIT_SECONDS + since else 0.0, at, "the newest block of the chain node")
        elif self._off < 0:
            self._judge(0.0, at, "the newest block of the chain node")

    def date(self, at: float) -> None:
        """The server's clock as it stands now (Unix seconds)."""
        self._judge(self._wall() - at, at, "the server's clock")

    def _judge(self, ahead: float, at: float, by: str) -> None:
        if abs(ahead) <= LIMIT_SECONDS:
            if self._off:
                self._say("this machine's clock is right again")
            self._off = 0.0
            return
        if not self._off:
            date = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            way = "ahead of" if ahead > 0 else "behind"
            self._say(f"this machine's clock is {duration(abs(ahead))} {way} {by} ({date} UTC there): set it, by NTP")
        self._off = ahead
