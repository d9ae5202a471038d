"""Repeated looks: a view that stays in place at a terminal, in a pipe the lines that changed, for scripts an object
after any change."""

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
    """Show until nothing can change, or until `stop`. Raises the errors of `look`."""
    if speaks_json():
        _emit(look, stop, seconds)
    elif console.is_terminal:
        _redraw(look, stop, seconds)
    else:
        _append(look, stop, seconds)


def _redraw(look: Look, stop: threading.Event, seconds: float) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while not stop.is_set():
            state = look()
            live.update(Text("\n".join(map(visible, state.lines))), refresh=True)
            if state.over or stop.wait(seconds):
                return


def _append(look: Look, stop: threading.Event, seconds: float) -> None:
    """Each line that was not there at the look before."""
    printed: set[str] = set()
    while not stop.is_set():
        state = look()
        for line in state.lines:
            if line not in printed:
                say(line)
        printed = set(state.lines)
        if state.over or stop.wait(seconds):
            return


def _emit(look: Look, stop: threading.Event, seconds: float) -> None:
    before: Mapping[str, Any] | None = None
    while not stop.is_set():
        state = look()
        if state.found != before:
            emit(state.found)
        before = state.found
        if state.over or stop.wait(seconds):
            return
