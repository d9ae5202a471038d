"""The demo's processes: started with logs of their own, watched, and ended as a group however the demo ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from commonweight.keystore import PASSPHRASE_VARIABLE
from commonweight.terminal.variables import NODE, SERVER, VERIFIER
from contracts.errors import CommonweightError
from contracts.process.spawner import ends_with_me

GRACE_SECONDS = 5.0
KILL_SECONDS = 1.0


class ActorFailed(CommonweightError):
    """A process of the demo ended, or a command of it failed."""

    code = "actor-failed"


def _without_settings() -> dict[str, str]:
    """The environment without the settings of another server, node or verifier of the shell's owner."""
    foreign = (SERVER, NODE, VERIFIER)
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


class Processes:
    """Everything that the demo started. Use as a context: leaving it ends every process."""

    def __init__(self, logs: Path, passphrase: str) -> None:
        self._logs, self._running = logs, dict[str, subprocess.Popen[bytes]]()
        self._environment = _without_settings() | {PASSPHRASE_VARIABLE: passphrase, "OMP_NUM_THREADS": "1"}
        self._expected_dead: set[str] = set()
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a long-running `commonweight` command; output goes to <name>.log."""
        self._running[name] = self._spawn(name, (sys.executable, "-m", "commonweight", *arguments), environment)

    def start_module(self, name: str, module: str, *arguments: str) -> None:
        """Start another module of ours as a process; it ends with this one where it calls `end_with_spawner`."""
        self._running[name] = self._spawn(name, (sys.executable, "-m", module, *arguments), None)

    def command(self, *arguments: str) -> Any:
        """Run a short `commonweight` command to its end; JSON output is decoded. Raises ActorFailed."""
        return self.commands([arguments])[0]

    def commands(self, many: list[tuple[str, ...]]) -> list[Any]:
        """Run several short commands side by side. Raises ActorFailed."""
        begun: list[subprocess.Popen[bytes]] = []
        try:
            for arguments in many:
                command = (sys.executable, "-m", "commonweight", *arguments)
                begun.append(self._popen(command, self._environment, subprocess.PIPE, subprocess.PIPE))
            return [_result(process, arguments) for process, arguments in zip(begun, many, strict=True)]
        finally:
            _end(begun)

    def kill(self, name: str) -> None:
        """SIGKILL, on purpose."""
        self._expected_dead.add(name)
        self._running[name].kill()
        self._running[name].wait()

    def check(self) -> None:
        """Raises ActorFailed if a process has ended that should run."""
        for name, process in self._running.items():
            if process.poll() not in (None, 0) and name not in self._expected_dead:
                tail = self.log(name).read_text(errors="replace")[-800:]
                raise ActorFailed(f"{name} ended with status {process.returncode}; the end of its log:\n{tail}")

    def wait(self, what: str, ready: Callable[[], Any], seconds: float = 120.0, pause: float = 0.3) -> Any:
        """Poll until `ready` gives something true. Raises ActorFailed when time is up or a process ends."""
        end = time.monotonic() + seconds
        while not (result := ready()):
            self.check()
            if time.monotonic() > end:
                raise ActorFailed(f"gave up waiting for {what} after {seconds:.0f} s; logs are in {self._logs}")
            time.sleep(pause)
        return result

    def alive(self, name: str) -> bool:
        """Whether a process still runs."""
        return self._running[name].poll() is None

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self._logs / f"{name}.log"

    def stop(self) -> None:
        """End every process group: SIGTERM, a little patience, SIGKILL."""
        _end(list(self._running.values()))

    def _spawn(
        self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        with self.log(name).open("wb") as log:
            return self._popen(arguments, self._environment | dict(environment or {}), log, subprocess.STDOUT)

    @staticmethod
    def _popen(command: tuple[str, ...], environment: Mapping[str, str], out: Any, err: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env={**environment, **ends_with_me()},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _result(process: subprocess.Popen[bytes], arguments: tuple[str, ...]) -> Any:
    out, err = process.communicate()
    if process.returncode != 0:
        raise ActorFailed(f"`commonweight {' '.join(arguments[:3])}`: {err.decode().strip()[-500:]}")
    return _decoded(out.decode())


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """A process that has ended may leave others in its group: signal them all the same."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    end = time.monotonic() + GRACE_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.05, end - time.monotonic()))
        _signal_group(process, signal.SIGKILL)
        process.wait()
        _await_group(process.pid)


def _await_group(group: int) -> None:
    """The kernel ends the leader's children in its own time after SIGKILL; exit statuses may be left for init."""
    end = time.monotonic() + KILL_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(0.01)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
