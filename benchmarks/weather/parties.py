"""The processes: started, killed, stopped, told to end, and watched for an end that nobody ordered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contracts.process.spawner import ends_with_me

NICE = 3
"""How far parties stand back. Relay and database keep the usual priority: they stand for wires and for a machine of its
own, and on a machine that is busy they would be weather that no schedule has."""
TERM_SECONDS = 60.0
"""A process that was told to end has so long, on a machine that is busy with others."""


@dataclass(frozen=True)
class Ended:
    """An end that no order explains: the status, seconds since the beginning, and what it said last."""

    party: str
    status: int
    at: float
    last: str


@dataclass
class Party:
    """One process of the product. Its lines go to `log`, over all its lives; `clock` is the file that its time is read
    from, None where the machine's own is used."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    clock: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    is_stopped: bool = False
    starts: int = 0
    ended: list[Ended] = field(default_factory=list)
    _ends_until: float = 0.0

    @property
    def group(self) -> int:
        """Its process group; 0 while it does not run."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    def start(self) -> None:
        """A new life, from the same folder."""
        command = ("nice", "-n", str(NICE), sys.executable, "-m", "commonweight", *self.command)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **self.environment, **ends_with_me()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1
        self.is_stopped, self._ends_until = False, 0.0

    def kill(self) -> None:
        """SIGKILL of the process itself: its children see to themselves."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def tell_to_end(self) -> None:
        """SIGTERM."""
        if self.process is not None and not self.is_stopped:
            self._ends_until = time.monotonic() + TERM_SECONDS
            self.process.terminate()

    def stop(self) -> None:
        """SIGSTOP of all of it, like a laptop that sleeps."""
        self.is_stopped = self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self.is_stopped = False

    def workers(self) -> list[int]:
        """The other processes of its group."""
        return [pid for pid in _of_group(self.group) if pid != self.group] if self.group else []

    def look(self, at: float) -> None:
        """Note an end that is not the order's, and start again so that the others go on."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            if self._ends_until and time.monotonic() > self._ends_until:
                self._note(at, "does not end when it is told to")
                self.kill()
            return
        # a signal that comes before Python has put its handlers in place ends it as it ends any process
        if not self._ends_until or process.returncode not in (0, -signal.SIGTERM):
            self._note(at, tail(self.log))
        self.process = None
        if not self._ends_until:
            self.start()

    def close(self) -> None:
        """End all of it."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _note(self, at: float, last: str) -> None:
        status = self.process.returncode if self.process is not None else None
        self.ended.append(Ended(self.name, -1 if status is None else status, round(at, 1), last))

    def _signal(self, number: int) -> bool:
        if not self.group:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self.group, number)
        return True


def tail(log: Path, most: int = 1_500) -> str:
    """The end of a log."""
    with suppress(OSError):
        return log.read_bytes()[-most:].decode(errors="replace")
    return ""


def _of_group(group: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and os.getpgid(int(entry)) == group:
                found.append(int(entry))
    return found
