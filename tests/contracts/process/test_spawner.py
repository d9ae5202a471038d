"""A child ends with who spawned it, however that ended, and asks for it itself: nothing runs between fork and exec."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contracts.process.spawner import VARIABLE, end_with_spawner, ends_with_me
from tests.holds import Threat, holds
from tests.sources import own_sources

pytestmark = pytest.mark.integration
PATIENCE = 60
CHILD = """
import os, subprocess, sys, time
from contracts.process.spawner import VARIABLE, end_with_spawner
end_with_spawner()
print("alive", VARIABLE in os.environ, flush=True)
time.sleep(600)
"""
SPAWNER = f"""
import os, subprocess, sys, time
from contracts.process.spawner import ends_with_me
subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=os.environ | ends_with_me())
time.sleep(600)
"""


@contextmanager
def started(code: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python of its own, killed in the end."""
    found = os.environ | (environment or {})
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=found)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_child_ends_with_who_was_killed() -> None:
    with started(SPAWNER) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive False\n", "and its own children are not asked"
        process.kill()
        assert process.stdout.read() == "", "the child has the other end, and closes it when it ends"


def test_a_child_whose_spawner_was_gone_before_ends_too() -> None:
    gone = {VARIABLE: f"{os.getpid() + 1}/{int(signal.SIGKILL)}"}
    with started(CHILD, gone) as process:
        assert process.communicate(timeout=PATIENCE)[0] == ""
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("said", ["", "7", "/", "a/b", "-1/9", "7/"])
def test_whoever_was_not_asked_lives_on(said: str) -> None:
    environment = {VARIABLE: said, "other": "1"} if said else {"other": "1"}
    end_with_spawner(environment)
    assert environment == {"other": "1"}


def test_what_is_asked_names_this_process_and_the_signal() -> None:
    assert ends_with_me(signal.SIGKILL) == {VARIABLE: f"{os.getpid()}/9"}
    assert ends_with_me() == {VARIABLE: f"{os.getpid()}/15"}


@holds(
    "A child process ends with its parent, and no code runs between fork and exec",
    by="contracts/process/spawner.py:end_with_spawner",
    against=Threat.CRASH,
)
def test_nothing_runs_between_fork_and_exec() -> None:
    """A thread that held a lock at the fork is not there in the child to let it go."""
    found = [
        f"{file}:{node.value.lineno}"
        for file in own_sources()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.keyword) and node.arg == "preexec_fn"
    ]
    assert not found
