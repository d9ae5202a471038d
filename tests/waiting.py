"""Waiting for what goes on elsewhere: in another thread or process."""

from __future__ import annotations

import time
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
