"""A process whose memory and environment other processes of its user may not read."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def hide() -> None:
    """On Linux, have the kernel keep ptrace and /proc/PID/environ of this process from others of the same user, who may
    run a stranger's script (prctl(2), PR_SET_DUMPABLE)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)
