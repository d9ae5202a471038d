"""The demo's story: time, topic and event, a line each, and for scripts an object."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from commonweight.terminal.console import emit, speaks_json


class Narrator:
    """Prints each event with the seconds since the start, or nothing where it is `silent`."""

    def __init__(self, console: Console, silent: bool = False) -> None:
        self._console = console
        self._silent = silent
        self._began, self._told = time.monotonic(), set[tuple[str, str]]()

    def say(self, topic: str, text: str) -> None:
        """One line."""
        if self._silent:
            return
        seconds = time.monotonic() - self._began
        if speaks_json():
            emit({"event": "story", "topic": topic, "detail": text, "seconds": round(seconds, 1)})
            return
        line = Text.assemble((f"{seconds:6.1f}s", "dim"), "  ", (f"{topic:<10}", "bold"), f" {text}")
        self._console.print(line, soft_wrap=True)

    def once(self, topic: str, text: str) -> None:
        """One line, unless it was said before."""
        if (topic, text) not in self._told:
            self._told.add((topic, text))
            self.say(topic, text)
