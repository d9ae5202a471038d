"""The worker processes beside a verifier: started, started again when they die, and ended with it.

Each has a session of its own, so that Ctrl-C and a terminal that closes reach the verifier alone, which ends them: to
Celery a second Ctrl-C means something else, and SIGHUP a restart. Celery's output goes into a file of its own.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contracts.process.spawner import ends_with_me

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
GRACE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
LONGEST_LOG = 2**20
"""Bytes after which a log is kept as .old, at the next start of a worker, and begun anew."""


@dataclass
class _Slot:
    """One place of the pool; the pause before a restart doubles with each early death in a row."""

    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    due: float = 0.0


class WorkerPool:
    """`count` processes of one command, kept alive by a thread. Use as a context: leaving it ends them all.

    The command ends with this process, however that ends, where it calls `end_with_spawner`
    (contracts/process/spawner.py). Their output is appended to `log`; without one it goes where this process prints.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        count: int,
        log: Path | None = None,
    ) -> None:
        self._command, self._environment = list(command), dict(environment)
        self._log = log
        self._slots = [_Slot() for _ in range(count)]
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="worker-pool", daemon=True)

    def __enter__(self) -> WorkerPool:
        self._keeper.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def pids(self) -> list[int]:
        """Ids of the processes that run now."""
        running = [slot.process for slot in self._slots]
        return [process.pid for process in running if process is not None and process.poll() is None]

    def stop(self) -> None:
        """SIGTERM (a worker ends its task first), a little patience, SIGKILL: its rows are taken up later."""
        self._stop.set()
        self._keeper.join()

    def _keep(self) -> None:
        """Starts and ends happen in this one thread: Linux signals the death of a parent *thread* to its children."""
        while not self._stop.is_set():
            for slot in self._slots:
                self._tend(slot)
            self._stop.wait(LOOK_SECONDS)
        self._end([slot.process for slot in self._slots if slot.process is not None])

    def _tend(self, slot: _Slot) -> None:
        now = time.monotonic()
        if slot.process is not None and slot.process.poll() is not None:
            logger.warning("worker %d ended with %d%s", slot.process.pid, slot.process.returncode, self._said())
            self._put_off(slot, now)
        if slot.process is not None or now < slot.due:
            return
        try:
            slot.process = self._spawn()
            slot.started = now
        except OSError as error:
            logger.warning("no worker could be started: %r", error)
            self._put_off(slot, now)

    def _put_off(self, slot: _Slot, now: float) -> None:
        if now - slot.started >= STEADY_SECONDS:
            slot.pause = FIRST_PAUSE_SECONDS
        slot.process = None
        slot.due = now + slot.pause
        slot.pause = min(LONGEST_PAUSE_SECONDS, slot.pause * 2)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Raises OSError."""
        if self._log is None:
            return self._popen(None)
        if self._log.exists() and self._log.stat().st_size > LONGEST_LOG:
            self._log.replace(self._log.with_suffix(".old"))
        with self._log.open("ab") as log:
            return self._popen(log.fileno())

    def _popen(self, log: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=self._environment | ends_with_me(signal.SIGKILL),  # its job is taken up again
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _said(self) -> str:
        return f"; what it said is in {self._log}" if self._log is not None else ""

    @staticmethod
    def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in running:
            process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.05, end - time.monotonic()))
            process.kill()
            process.wait()
