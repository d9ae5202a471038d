"""Waiting for what goes on elsewhere: in another thread or process."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 240.0
"""Far more than anything takes on a busy machine; what never comes is found by a test that fails late."""


def until(ready: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """What `ready` gives once that is true."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def stacks() -> str:
    """Where every thread stands: the reason of a wait in vain."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames().items()
    return "\n".join(f"{names.get(one)}:\n{''.join(traceback.format_stack(frame)[-6:])}" for one, frame in frames)
