"""Progress of a long task: a line on stderr every two seconds, none for a task that is done sooner."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from commonweight.terminal.console import mention

EVERY_SECONDS = 2.0


@dataclass
class Progress:
    """A callback for the amount that is done, and the whole."""

    what: str
    _next: float = field(default_factory=lambda: time.monotonic() + EVERY_SECONDS)

    def __call__(self, done: int, of: int) -> None:
        """Print a line when it is time again."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            mention("progress", {"what": self.what, "done": done, "of": of}, f"{self.what}: {done:,} of {of:,}")
