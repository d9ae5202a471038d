"""A child that ends with the process that spawned it, even where that was killed: asked for in its environment.

The child asks the kernel itself, when it has begun. Code between fork and exec (`preexec_fn`) may not: in a
process with threads it waits for ever for a lock that another thread held at the fork, the spawner waits for it, and
the end of the spawner leaves it behind with all that was open, a folder's lock among it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping

VARIABLE = "COMMONWEIGHT_SPAWNER"
_PR_SET_PDEATHSIG = 1


def ends_with_me(number: int = signal.SIGTERM) -> dict[str, str]:
    """The extra environment of a child that is to get signal `number` when this process is gone.

    Linux signals the end of a parent *thread*: the one that spawns has to live as long as the child.
    """
    return {VARIABLE: f"{os.getpid()}/{int(number)}"}


def end_with_spawner(environment: MutableMapping[str, str] = os.environ) -> None:
    """Do what the environment asks, first thing in a child's main thread; its own children are not asked.

    Only on Linux. A spawner that was gone before the kernel was asked is noticed.
    """
    parent, _, number = environment.pop(VARIABLE, "").partition("/")
    if sys.platform == "linux" and parent.isdigit() and number.isdigit():
        die_with_parent(int(parent), int(number))


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """On Linux, have the kernel send `number` to this process when its parent, of the id `parent`, is gone."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
