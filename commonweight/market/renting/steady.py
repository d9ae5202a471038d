"""Unix seconds that never go back: a machine costs on while somebody sets the clock.

Where the wall's clock is put forward, this one goes along, and fleets end early; where it is put back, this one goes on
by the time since the start. Sleep of the machine counts, since the wall's clock has counted it.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class SteadyClock:
    """Begins at the wall's time, or at `earliest` where that is later."""

    def __init__(
        self, earliest: int = 0, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._at, self._since = float(earliest), steady()

    def __call__(self) -> int:
        """Whole Unix seconds."""
        since = self._steady()
        self._at = max(self._wall(), self._at + since - self._since)
        self._since = since
        return int(self._at)
