"""A process that is killed before one line of a module after the other: what survives is what the disk was told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def killed_at(line: int, prepare: Callable[[], Callable[[], None]], files: tuple[str, ...]) -> bool:
    """Do what `prepare` gives in a copy of this process, killed before its `line`-th line in one of these files runs.

    Returns whether it was killed; it was not where there are fewer lines.
    """
    child = os.fork()
    if child == 0:
        _run(line, prepare, files)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the process failed by itself"
    return False


def _run(line: int, prepare: Callable[[], Callable[[], None]], files: tuple[str, ...]) -> None:
    count = 0

    def traced(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith(files):
            return None
        count += event == "line"
        if count > line:
            os.kill(os.getpid(), signal.SIGKILL)
        return traced

    status = 1
    try:
        act = prepare()
        sys.settrace(traced)
        act()
        sys.settrace(None)
        status = 0
    finally:
        os._exit(status)
