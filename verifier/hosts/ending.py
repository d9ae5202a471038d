"""The processes of a rented machine, also those that left their group, their session and their parent: who they are,
and their end.

Its keeper takes the place of init for them (prctl(2), PR_SET_CHILD_SUBREAPER), so that they stay below it. And each
inherits a lock, so that a host that was started again, or whose keeper was killed, still finds the machine. Both are
Linux's: elsewhere a machine is its process group. A process that may send signals to the keeper (one of the same user)
can kill it and close the lock.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

LOCK = "running.lock"
SECONDS = 10.0
"""For so long processes that go on making others are killed again and again."""
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_ENDED = "Z"
"""State of a process that nobody has waited for, by proc(5)."""


def adopt() -> None:
    """Become the parent of descendants whose own parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap(child: int) -> None:
    """Let go of adopted processes that ended; `child` has another who waits for it."""
    for pid, (parent, state) in _table().items():
        if parent == os.getpid() and state == _ENDED and pid != child:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def below(root: int) -> list[int]:
    """Processes whose parents lead to this one, and that have not ended."""
    table = _table()
    found, level = [], {root}
    while level:
        level = {pid for pid, (parent, _) in table.items() if parent in level}
        found += [pid for pid in level if table[pid][1] != _ENDED]
    return found


def hold(place: Path) -> int:
    """A lock on a machine's folder that ends with the last process that has it; a file descriptor. Raises OSError."""
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def is_held(place: Path) -> bool:
    """Whether a process of the machine runs, or its keeper; what cannot be told (this process has no file descriptor
    left, since strangers hold them all) is no end."""
    try:
        handle = os.open(place / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def holders(place: Path) -> list[int]:
    """Processes that have the lock open, as far as this user may see."""
    lock = os.path.realpath(place / LOCK)
    return [pid for pid in _table() if pid != os.getpid() and lock in _open_files(pid)]


def kill(found: Callable[[], Iterable[int]], seconds: float = SECONDS) -> None:
    """Kill until none is found: all are stopped before the first dies, so that none can make another meanwhile."""
    end = time.monotonic() + seconds
    while (pids := list(found())) and time.monotonic() < end:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            tell(pids, number)
        time.sleep(0.02)


def tell(pids: Iterable[int], number: int) -> None:
    """Send a signal to each that is still there and may be told."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _table() -> dict[int, tuple[int, str]]:
    """Parent and state of each process (proc(5)); empty where the system has no such files."""
    found = {}
    for entry in _PROC.iterdir() if sys.platform == "linux" else ():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                # the name is in brackets, and may hold blanks and brackets itself
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                found[int(entry.name)] = (int(parent), state)
    return found


def _open_files(pid: int) -> list[str]:
    try:
        handles = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return []
    found = []
    for handle in handles:
        with suppress(OSError):
            found.append(str(handle.readlink()))
    return found
