"""Looking again and again: a view that stays in place at a terminal, in a pipe the lines that changed, for scripts an
object whenever anything did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.live import Live
from rich.text import Text

from commonweight.terminal.console import console, emit, say, speaks_json, visible


@dataclass(frozen=True)
class WatchedState:
    """One look: the object for scripts, lines for people, and whether nothing can change any more."""

    found: Mapping[str, Any]
    lines: Sequence[str]
    over: bool


Look = Callable[[], WatchedState]


def watch(look: Look, stop: threading.Event, seconds: float = 2.0) -> None:
    """Show until nothing can change, or until `stop`. Raises what `look` raises."""
    if speaks_json():
        _emit(look, stop, seconds)
    elif console.is_terminal:
        _redraw(look, stop, seconds)
    else:
        _append(look, stop, seconds)


def _redraw(look: Look, stop: threading.Event, seconds: float) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while not stop.is_set():
            seen = look()
            live.update(Text("\n".join(map(visible, seen.lines))), refresh=True)
            if seen.over or stop.wait(seconds):
                return


def _append(look: Look, stop: threading.Event, seconds: float) -> None:
    """Each line that was not there at the look before."""
    known: set[str] = set()
    while not stop.is_set():
        seen = look()
        for line in seen.lines:
            if line not in known:
                say(line)
        known = set(seen.lines)
        if seen.over or stop.wait(seconds):
            return


def _emit(look: Look, stop: threading.Event, seconds: float) -> None:
    before: Mapping[str, Any] | None = None
    while not stop.is_set():
        seen = look()
        if seen.found != before:
            emit(seen.found)
        before = seen.found
        if seen.over or stop.wait(seconds):
            return
