"""All settings of a verifier and of its Celery workers."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account

VARIABLE = "COMMONWEIGHT_VERIFIER"


@dataclass(frozen=True)
class VerifierSettings:
    """`broker_url` is empty for the built-in broker, a folder that needs no server; else Redis or RabbitMQ.

    A check that fails `attempts` times is undecided; between its tries it waits `backoff_seconds`, doubling.
    `lease_seconds` must exceed the longest check: who takes longer counts as lost. A message that no worker has
    taken for `queue_seconds` is sent again, which uses up no attempt. `device` is where portable runs are replayed.
    """

    api_url: str
    rpc_url: str
    run: str
    key: str = field(repr=False)
    folder: Path
    data: tuple[Path, ...] = ()
    broker_url: str = ""
    result_backend: str = ""
    attempts: int = 3
    lease_seconds: float = 180.0
    queue_seconds: float = 60.0
    backoff_seconds: float = 1.0
    device: str = "cpu"

    @property
    def queue_name(self) -> str:
        """A queue of this verifier's own, so that verifiers can share a server."""
        owner = Account.from_key(self.key).address[2:14].lower() if self.key else "nobody"
        return f"verifier-{owner}"

    @property
    def queue_folder(self) -> Path:
        """Where the built-in broker keeps messages and results."""
        return self.folder / "queue"

    @classmethod
    def from_environment(cls) -> VerifierSettings:
        """What `to_environment` wrote; without it a worker of its own defaults, for `celery inspect` and tests."""
        raw: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "null")) or _EMPTY
        return cls(**{**raw, "folder": Path(raw["folder"]), "data": tuple(map(Path, raw["data"]))})

    def to_environment(self) -> dict[str, str]:
        """The variable for the worker processes."""
        raw = {**vars(self), "folder": str(self.folder), "data": [str(path) for path in self.data]}
        found = {VARIABLE: json.dumps(raw), "OMP_NUM_THREADS": "1"}
        if not self.broker_url:
            # the folder broker takes a message by moving it to the folder for temporary files: a rename is only
            # exclusive within one file system
            found["TMPDIR"] = str((self.queue_folder / "taken").resolve())
        return found

    def worker_command(self, module: str = "verifier.tasks") -> list[str]:
        """Start one worker: solo pool, since torch and fork do not mix."""
        return [
            sys.executable, "-m", "celery", "--quiet", "-A", module, "worker", "--pool", "solo", "--concurrency", "1",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]  # fmt: skip


_EMPTY: dict[str, Any] = {
    "api_url": "", "rpc_url": "", "run": "", "key": "", "folder": ".", "data": [],
    "broker_url": "memory://", "result_backend": "cache+memory://",
}  # fmt: skip
