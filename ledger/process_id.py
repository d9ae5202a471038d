"""Names of processes: no two have the same, and neighbours of one machine can tell whether another still runs."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path


def new_process_id() -> str:
    """A name for this process that no other has or had, from which its neighbours can tell whether it still runs."""
    return f"{_machine()}/{os.getpid()}/{secrets.token_hex(8)}"


def is_gone(holder: str) -> bool:
    """Whether a process of this machine has ended. A wrong guess costs a change of holders, never a double write."""
    machine, _, rest = holder.rpartition("/")[0].rpartition("/")
    if machine != _machine() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def _machine() -> str:
    """Host and process namespace: process ids mean something only within both."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}{space}"
