"""All settings of a verifier and of its Celery workers."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account

from contracts.chain.deployment import Deployment

VARIABLE = "COMMONWEIGHT_VERIFIER"
WORKERS_MODULE = "verifier.replay.tasks"
BLOBS, MERGED, WORKERS_LOG = "mirror/blobs", "merged", "workers.log"
"""Below the verifier's folder: the mirror's blobs, outer steps on their way there, and what the workers print."""


@dataclass(frozen=True)
class VerifierSettings:
    """`run` is the run that this verifier anchors in (0x-hex), `data` where its text lies; `folder` is its own.

    The mirror listens on `host` and `port` (0: a free one) and is reached at `public_url`: empty for its own address
    where `loopback` is set, and for nowhere otherwise. `loopback` lets addresses of this machine count as public.
    `look_seconds` lie between two looks. `give_up_after` are the seconds after which a verifier ends to which neither
    the server nor any mirror answers; with 0 it waits for ever. What k signed and no server brought to the chain in
    `relay_seconds`, verifiers bring there in turn.

    `broker_url` is empty for the built-in broker, a folder that needs no server; else Redis or RabbitMQ. A job that
    fails `attempts` times is given up; between its tries it waits `backoff_seconds`, doubling. `lease_seconds` must
    exceed the longest job: who takes longer counts as lost. A message that no worker has taken for `queue_seconds` is
    sent again, which uses up no attempt. `queue` names the queue, empty for one of this key's own. `device` is where
    portable runs are replayed. With `other_rpc_urls` what is final is read from two chain nodes; with `finality_depth`
    it lies so many blocks behind the newest.
    """

    api_url: str
    rpc_url: str
    deployment: Deployment
    run: str
    key: str = field(repr=False)
    folder: Path
    data: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    loopback: bool = True
    look_seconds: float = 1.0
    give_up_after: float = 0.0
    relay_seconds: float = 600.0
    broker_url: str = ""
    result_backend: str = ""
    attempts: int = 3
    lease_seconds: float = 180.0
    queue_seconds: float = 60.0
    backoff_seconds: float = 1.0
    queue: str = ""
    device: str = "cpu"
    other_rpc_urls: tuple[str, ...] = ()
    finality_depth: int | None = None

    @property
    def queue_name(self) -> str:
        """A queue of this verifier's own, so that verifiers can share a server."""
        if self.queue:
            return self.queue
        owner = Account.from_key(self.key).address[2:14].lower() if self.key else "nobody"
        return f"verifier-{owner}"

    @property
    def queue_folder(self) -> Path:
        """Where the built-in broker keeps messages and results."""
        return self.folder / "queue"

    @property
    def blobs(self) -> Path:
        """Where the mirror's blobs lie."""
        return self.folder / BLOBS

    @property
    def workers_log(self) -> Path:
        """What the workers print."""
        return self.folder / WORKERS_LOG

    @classmethod
    def from_environment(cls) -> VerifierSettings:
        """What `to_environment` wrote; without it a worker of its own defaults, for `celery inspect` and tests."""
        raw: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "null")) or _EMPTY
        paths = {"folder": Path(raw["folder"]), "data": tuple(map(Path, raw["data"]))}
        return cls(api_url="", rpc_url="", deployment=_NONE, run="", key="", **{**raw, **paths})

    def to_environment(self) -> dict[str, str]:
        """The variable for the worker processes: what they need, and no key."""
        raw = {name: getattr(self, name) for name in _OF_WORKERS}
        paths = {"folder": str(self.folder), "data": [str(path) for path in self.data]}
        found = {VARIABLE: json.dumps({**raw, **paths, "queue": self.queue_name}), "OMP_NUM_THREADS": "1"}
        if not self.broker_url:
            # the folder broker takes a message by moving it to the folder for temporary files: a rename is only
            # exclusive within one file system
            found["TMPDIR"] = str((self.queue_folder / "taken").resolve())
        return found

    def worker_command(self, module: str = WORKERS_MODULE) -> list[str]:
        """Start one worker in the environment `to_environment`: solo pool, since torch and fork do not mix."""
        return [
            sys.executable,
            "-m",
            "celery",
            "--quiet",
            "-A",
            module,
            "worker",
            "--pool",
            "solo",
            "--concurrency",
            "1",
            "--loglevel",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]


_OF_WORKERS = (
    "broker_url",
    "result_backend",
    "attempts",
    "lease_seconds",
    "queue_seconds",
    "backoff_seconds",
    "device",
)
_EMPTY: dict[str, Any] = {
    "folder": ".",
    "data": [],
    "broker_url": "memory://",
    "result_backend": "cache+memory://",
}
_NOBODY = "0x" + "00" * 20
_NONE = Deployment(0, 0, "", "0x" + "00" * 32, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY)
"""Workers ask no chain."""
