"""How long processes live: a command until it is told to end, a child no longer than the process that asked for that.

A command that runs for weeks may lose its terminal, or the shell that started it: it goes on. SIGHUP ends it like
SIGTERM and Ctrl-C, with a line, unless whoever started it has that signal ignored, as nohup does.
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
"""A terminal that closes has both kernel and shell say so: told again in so short a time is told once."""
LAST_ANSWER_SECONDS = 5.0
"""For what a command that is told to end still awaits of a chain node."""
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

        Before this, and at a second signal, the command ends where it stands.
        """
        self._wake = wake
        return self

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal in. Raises SystemExit where nobody looks at the event, or had the time to."""
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
    """What SIGTERM, SIGINT and SIGHUP set from now on. SIGINT and SIGHUP that are ignored stay ignored.

    Whoever runs commands ends this by `heed_no_more`, whose line names the signal.
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
    """Give the signals back, and say which one ended the command, if one did.

    Threads that still wait for somebody silent are left behind: all that stands, stands on the disk.
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
    """A terminal that may go away: what is written after that goes nowhere, and ends nobody."""

    def write(self, data: object) -> int:
        """How many bytes were taken."""
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
        made = io.TextIOWrapper(buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
        setattr(sys, name, made)
