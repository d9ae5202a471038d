"""All settings of a verifier and of its Celery workers."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "COMMONWEIGHT_VERIFIER"


@dataclass(frozen=True)
class VerifierSettings:
    """`broker_url` is empty for the built-in broker, a folder that needs no server; else Redis, RabbitMQ, ..."""

    api_url: str
    rpc_url: str
    run: str
    key: str = field(repr=False)
    folder: Path
    data: tuple[Path, ...] = ()
    broker_url: str = ""
    result_backend: str = ""
    attempts: int = 3

    @classmethod
    def from_environment(cls) -> VerifierSettings:
        """What `to_environment` wrote; without it a worker of its own defaults, for `celery inspect` and tests."""
        raw: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "null")) or _EMPTY
        return cls(**{**raw, "folder": Path(raw["folder"]), "data": tuple(map(Path, raw["data"]))})

    def to_environment(self) -> dict[str, str]:
        """The variable for the worker processes."""
        raw = {**vars(self), "folder": str(self.folder), "data": [str(path) for path in self.data]}
        return {VARIABLE: json.dumps(raw), "OMP_NUM_THREADS": "1"}

    def worker_command(self) -> list[str]:
        """Start one worker: solo pool, since torch and fork do not mix."""
        return [
            sys.executable, "-m", "celery", "-A", "verifier.tasks", "worker", "--pool", "solo", "--concurrency", "1",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]  # fmt: skip


_EMPTY: dict[str, Any] = {"api_url": "", "rpc_url": "", "run": "", "key": "", "folder": ".", "data": []}
