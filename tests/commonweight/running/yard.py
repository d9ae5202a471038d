"""Commands as a user starts them, against a chain, a server and two verifiers that run here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from commonweight.demo.processes import free_port
from commonweight.keystore import FILE_VARIABLE, PASSPHRASE_VARIABLE, write_keystore
from commonweight.terminal.options import database_address
from contracts.chain.deployment import Deployment
from contracts.process.own_folder import OWNER
from ledger.identity import require_own
from ledger.storage.store import Store
from tests.commonweight.conftest import PASSPHRASE
from tests.commonweight.demo.proc import heed_signals_again
from tests.commonweight.running.box import User, boxed
from tests.deployed import key_of, verifier_keys
from tests.service.stage import Stage, staged, wallet

PATIENCE = 240.0
LONG = ("chain", "serve", "keeper", "node", "verifier")


@dataclass
class Started:
    """A command that runs; what it prints goes to `out` and `err`."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def said(self) -> str:
        """All that it printed, for a failure too."""
        return self.out.read_text() + self.err.read_text()

    def until(self, ready: Callable[[], Any]) -> None:
        """Wait; fails when the process ends before."""
        end = time.monotonic() + PATIENCE
        while not ready():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < end, f"waited in vain: {self.said()}"
            time.sleep(0.1)

    def until_said(self, text: str) -> None:
        """Wait for a line of the standard output."""
        self.until(lambda: text in self.out.read_text())

    def ended(self) -> int:
        """The exit status."""
        return self.process.wait(PATIENCE)


class Yard:
    """`folder` is the only one in which what runs here may write; keystores and deployment lie in it."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.folder, self.stage = folder, stage
        (folder / "deployment.json").write_text(stage.deployment.to_json())
        (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
        (folder / "text.txt").write_bytes(stage.text.read_bytes())
        for name, key in (("ada", key_of("ada")), ("operator", key_of("operator")), ("vera", verifier_keys()[0])):
            write_keystore(folder / f"{name}.json", bytes(key.key), PASSPHRASE, iterations=1)
        _begin_ledger(folder / "keeper", stage.deployment)

    def command(self, name: str, port: int, *more: str) -> list[str]:
        """The words of a long-running command, each with a folder of its own."""
        here, chain = self.folder, ("--rpc-url", self.stage.rpc)
        model = (*chain, "--deployment", str(here / "deployment.json"), "--folder", str(here / name))
        run = ("--api", self.stage.api, "--run", self.stage.run, "--data", str(here / "text.txt"))
        operator = ("--keystore", str(here / "operator.json"))
        words: dict[str, tuple[str, ...]] = {
            "chain": ("chain", "--port", str(port)),
            "serve": ("serve", *operator, *model, "--port", str(port)),
            "keeper": ("keeper", *operator, *model),
            "node": ("node", "--keystore", str(here / "ada.json"), "--payout", wallet("ada"), *model, *run),
            "verifier": ("verifier", "run", "--keystore", str(here / "vera.json"), "--port", str(port), *model, *run),
        }
        return [sys.executable, "-m", "commonweight", *words[name], *more]

    def ready(self, name: str, port: int, started: Started) -> None:
        """Wait until the command does what it is there for."""
        if name == "chain":
            call = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
            started.until(lambda: answers("POST", f"http://127.0.0.1:{port}", json=call))
        elif name == "serve":
            started.until(lambda: answers("GET", f"http://127.0.0.1:{port}/v1/network"))
        elif name == "keeper":
            started.until(lambda: (self.folder / name / OWNER).exists() and _heeds(started.process.pid))
        elif name == "verifier":
            started.until_said("serving ")
        else:
            started.until(lambda: _heeds(started.process.pid) and (self.folder / name / "log").exists())

    @contextmanager
    def started(
        self, words: Sequence[str], user: User | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator[Started]:
        """A process that is gone at the end, with its group. It has the passphrase by file."""
        name = f"{time.monotonic_ns()}"
        out, err = self.folder.parent / f"{name}.out", self.folder.parent / f"{name}.err"
        given = {FILE_VARIABLE: str(self.folder / "passphrase"), **(environment or {})}
        words, around = self._for(user, list(words), given)
        with out.open("wb") as to, err.open("wb") as errors:
            options: dict[str, Any] = {"stdout": to, "stderr": errors, "preexec_fn": heed_signals_again}
            process = subprocess.Popen(words, env=around, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        try:
            yield Started(process, out, err)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, *words: str, user: User) -> subprocess.CompletedProcess[str]:
        """A short command to its end."""
        given = {FILE_VARIABLE: str(self.folder / "passphrase")}
        command, around = self._for(user, [sys.executable, "-m", "commonweight", *words], given)
        return subprocess.run(
            command, env=around, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def hand_to(self, user: User) -> None:
        """All that lies in the folder is the user's now."""
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, user.number, user.number)

    def _for(self, user: User | None, words: list[str], given: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        if user is not None:
            return boxed(user, self.folder, ["env", *(f"{name}={value}" for name, value in given.items()), *words])
        around = {name: value for name, value in os.environ.items() if name != PASSPHRASE_VARIABLE}
        return words, {**around, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **given}


def _begin_ledger(folder: Path, deployment: Deployment) -> None:
    """What `serve` does once: a keeper begins none."""
    folder.mkdir()
    store = Store(database_address(folder, ""))
    require_own(store, deployment)
    store.engine.dispose()


@contextmanager
def yard_in(folder: Path) -> Iterator[Yard]:
    """With a run of one round for one node, and two of its three verifiers at work."""
    own = folder / "own"
    own.mkdir()
    with staged(folder) as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=1)
        for number in (1, 2):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        yield Yard(own, stage)


def new_port() -> int:
    """One that nobody listens on."""
    return free_port()


def children(pid: int) -> list[int]:
    """Of a process, now."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def answers(method: str, url: str, **more: Any) -> bool:
    """Whether a request succeeds."""
    with suppress(httpx.HTTPError):
        return httpx.request(method, url, timeout=5, **more).status_code == 200
    return False


def _heeds(pid: int) -> bool:
    """Whether SIGTERM is handled: before, the interpreter is still starting."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
