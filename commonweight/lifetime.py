"""Long-running commands end cleanly on SIGTERM and Ctrl-C, and never outlive the process that started them."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from types import FrameType

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec nothing should be


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def die_with_parent() -> None:
    """On Linux, have the kernel end this process when its parent is gone, even by SIGKILL."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
