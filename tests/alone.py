"""Tests that fork: each in an interpreter of its own, since a copy of a process with threads may wait for ever on
a lock that a thread held when it was copied."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ALONE = "COMMONWEIGHT_TEST_ALONE"
"""Set in the interpreter that runs one test only."""


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test (its fixtures too) by a second pytest without threads, and fail with what it printed."""

    @functools.wraps(test)
    def started(*arguments: Any, request: pytest.FixtureRequest, **named: Any) -> None:
        if ALONE in os.environ:
            test(*arguments, **named)
            return
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", request.node.nodeid],
            cwd=Path(request.config.rootpath),
            env=os.environ | {ALONE: "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]

    return _asking_for_its_request(started, test)


def _asking_for_its_request(started: Callable[..., None], test: Callable[..., None]) -> Callable[..., None]:
    """The signature is what pytest finds the fixtures by."""
    own = inspect.signature(test)
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
    started.__signature__ = own.replace(parameters=[*own.parameters.values(), request])  # type: ignore[attr-defined]
    return started
