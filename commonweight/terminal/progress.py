"""How far something long has come: a line on stderr every two seconds, none for what is done sooner."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from commonweight.terminal.console import mention

EVERY_SECONDS = 2.0


@dataclass
class Progress:
    """Call it with how much is done, and of how much."""

    what: str
    _next: float = field(default_factory=lambda: time.monotonic() + EVERY_SECONDS)

    def __call__(self, done: int, of: int) -> None:
        """Speaks when it is time again."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            mention("progress", {"what": self.what, "done": done, "of": of}, f"{self.what}: {done:,} of {of:,}")
