"""Looking again and again: a view that stays in place at a terminal, and in a pipe the lines that changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rich.live import Live
from rich.text import Text

from commonweight.console import console, say, visible

Look = Callable[[], tuple[Sequence[str], bool]]
"""Lines as they stand, and whether nothing can change any more."""


def watch(look: Look, stop: threading.Event, seconds: float = 2.0) -> None:
    """Show until nothing can change, or until `stop`. Raises what `look` raises."""
    if console.is_terminal:
        _redraw(look, stop, seconds)
    else:
        _append(look, stop, seconds)


def _redraw(look: Look, stop: threading.Event, seconds: float) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while not stop.is_set():
            lines, over = look()
            live.update(Text("\n".join(map(visible, lines))), refresh=True)
            if over or stop.wait(seconds):
                return


def _append(look: Look, stop: threading.Event, seconds: float) -> None:
    """Each line that was not there at the look before."""
    known: set[str] = set()
    while not stop.is_set():
        lines, over = look()
        for line in lines:
            if line not in known:
                say(line)
        known = set(lines)
        if over or stop.wait(seconds):
            return
