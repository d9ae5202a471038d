from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verifier.jobs.workers import WorkerPool

pytestmark = pytest.mark.integration
SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_worker_is_replaced_and_the_other_left_alone() -> None:
    with WorkerPool(SLEEPER, os.environ, 2) as pool:
        until(lambda: len(pool.pids()) == 2)
        killed, kept = pool.pids()
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(pool.pids()) == 2 and killed not in pool.pids())
        assert kept in pool.pids()


def test_leaving_the_pool_ends_every_worker() -> None:
    with WorkerPool(SLEEPER, os.environ, 2) as pool:
        until(lambda: len(pool.pids()) == 2)
        started = pool.pids()
    assert pool.pids() == []
    assert all(gone(pid) for pid in started)


def test_a_worker_that_ignores_the_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.jobs.workers.GRACE_SECONDS", 0.1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    with WorkerPool([sys.executable, "-S", "-c", deaf], os.environ, 1) as pool:
        until(lambda: len(pool.pids()) == 1)
        (pid,) = pool.pids()
        until(lambda: _ignores_sigterm(pid))
    assert gone(pid)


def test_a_command_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "late"
    with WorkerPool([str(program)], os.environ, 1) as pool:
        time.sleep(0.1)
        assert pool.pids() == []
        program.write_text("#!/bin/sh\nexec sleep 600\n")
        program.chmod(0o755)
        until(lambda: len(pool.pids()) == 1)


def test_a_command_that_dies_at_once_is_started_ever_more_rarely(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    with WorkerPool(["/bin/sh", "-c", f"echo x >> {log}"], os.environ, 1):
        until(lambda: log.exists() and len(log.read_text().split()) >= 2)
    # pauses of 0.5 s, 1 s, 2 s: a pool without them would have started dozens
    assert len(log.read_text().split()) <= 3


def test_an_empty_pool_is_allowed() -> None:
    with WorkerPool(SLEEPER, os.environ, 0) as pool:
        assert pool.pids() == []


def _ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


def test_the_workers_of_a_verifier_that_is_killed_end_with_it() -> None:
    worker = (
        "import sys, time; from contracts.process.spawner import end_with_spawner; end_with_spawner(); time.sleep(600)"
    )
    pool = (
        "import os, sys, time\nfrom verifier.jobs.workers import WorkerPool\n"
        f"with WorkerPool([sys.executable, '-c', {worker!r}], os.environ, 1) as pool:\n"
        "    while not pool.pids():\n        time.sleep(0.01)\n"
        "    print(pool.pids()[0], flush=True)\n    time.sleep(600)\n"
    )
    verifier = subprocess.Popen([sys.executable, "-c", pool], stdout=subprocess.PIPE, text=True)
    assert verifier.stdout is not None
    pid = int(verifier.stdout.readline())
    verifier.kill()
    verifier.wait()
    until(lambda: gone(pid))
