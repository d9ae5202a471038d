"""Calls no faster than a provider takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pacing:
    """Lets one call through in so many `seconds` of this process, by a clock that never goes back; 0 holds none up."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until the next call is due; callers come through one after another."""
        with self._lock:
            due = max(self._next, self._clock())
            self._next = due + self._seconds
        pause = due - self._clock()
        if pause > 0:
            self._sleep(pause)
