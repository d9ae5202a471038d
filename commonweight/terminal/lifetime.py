"""Lifetimes of processes: a command runs until it is told to end, a child no longer than its spawner.

A command that runs for weeks may lose its terminal, or the shell that started it: it goes on. SIGHUP ends it like
SIGTERM and Ctrl-C, with a line, unless the starting process ignores that signal, as nohup does.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from commonweight.terminal.console import tell

_SAME_SECONDS = 1.0
"""Signals within this time count once: when a terminal closes, both kernel and shell send one."""
LAST_ANSWER_SECONDS = 5.0
"""For the last answer of a chain node, after a command was told to end."""
LAST_THREADS_SECONDS = 3.0
"""For threads that are still at work when a command that was told to end is over."""
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stop(threading.Event):
    """Set by the first signal that ends the command; `signal` is its name, empty before."""

    def __init__(self) -> None:
        super().__init__()
        self.signal = ""
        self.before: dict[signal.Signals, Any] = {}
        self._wake: Callable[[], None] | None = None
        self._told = 0.0

    def watched(self, wake: Callable[[], None] = lambda: None) -> Stop:
        """From now on the command looks at this event, and ends in order; `wake` is called when it is set.

        Before this call, and at a second signal, the command ends at once.
        """
        self._wake = wake
        return self

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal in. Raises SystemExit before `watched`, and at a second signal."""
        if self.signal:
            if time.monotonic() - self._told > _SAME_SECONDS:
                sys.exit(128 + number)
            return
        self.signal, self._told = signal.Signals(number).name, time.monotonic()
        if self._wake is None:
            sys.exit(0)
        # in a thread of its own: this one may be in `wait`, and hold the event's lock
        threading.Thread(target=self._set, args=(self._wake,), name="told-to-end", daemon=True).start()

    def _set(self, wake: Callable[[], None]) -> None:
        self.set()
        wake()


_HEEDED: list[Stop] = []


def heed_signals() -> Stop:
    """The event that SIGTERM, SIGINT and SIGHUP set from now on. SIGINT and SIGHUP that are ignored stay ignored.

    The runner of commands ends this by `heed_no_more`, whose line names the signal.
    """
    stop = Stop()
    for number in _ENDING:
        before = signal.getsignal(number)
        if number == signal.SIGTERM or before is not signal.SIG_IGN:
            stop.before[number] = signal.signal(number, stop.handle)
    _survive_terminal()
    _HEEDED.append(stop)
    return stop


def heed_no_more() -> None:
    """Restore the old handlers, and name the signal that ended the command, if one did.

    Threads that still wait for a silent peer are left behind: all state is on the disk.
    """
    while _HEEDED:
        stop = _HEEDED.pop()
        if stop.signal:
            _say_end(stop.signal)
            threading.Thread(target=_leave_behind, name="left-behind", daemon=True).start()
        for number, before in stop.before.items():
            signal.signal(number, before)


def _say_end(name: str) -> None:
    with suppress(OSError):  # a pipe whose reader is gone as well
        tell({"event": "ended", "detail": name}, [f"ended by {name}"])


def _leave_behind() -> None:
    """The interpreter waits for threads without an end; the main one is over then."""
    time.sleep(LAST_THREADS_SECONDS)
    if not threading.main_thread().is_alive():
        os._exit(0)


class _Terminal(io.FileIO):
    """A terminal that may go away: later output is dropped, and does not end the process."""

    def write(self, data: object) -> int:
        """Write; returns the number of bytes that were taken."""
        try:
            return super().write(data) or 0  # type: ignore[arg-type]
        except OSError as error:
            if error.errno != errno.EIO:
                raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
        return super().write(data) or 0  # type: ignore[arg-type]


def _survive_terminal() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or not stream.isatty() or isinstance(getattr(stream.buffer, "raw", None), _Terminal):
            continue
        stream.flush()
        buffer = io.BufferedWriter(_Terminal(stream.fileno(), "w", closefd=False))
        wrapper = io.TextIOWrapper(buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
        setattr(sys, name, wrapper)
