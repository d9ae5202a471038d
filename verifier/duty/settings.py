"""All settings of a verifier process of version 0.2.0."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from contracts.deploy import Deployment
from verifier.settings import VerifierSettings

WORKERS_MODULE = "verifier.duty.tasks"
BLOBS, MERGED = "mirror/blobs", "merged"
"""Below the verifier's folder: the mirror's blobs, and outer steps on their way there."""
LIMITS_FILE = "limits.json"
"""In the verifier's folder: the table of a bounded run (contracts/limits.py), which its configuration names."""


@dataclass(frozen=True)
class DutySettings:
    """`run` is the run that this verifier anchors in (0x-hex), `data` where its text lies; `folder` is its own.

    The mirror listens on `host` and `port` (0: a free one) and is reached at `public_url`: empty for its own address
    where `loopback` is set, and for nowhere otherwise. `loopback` lets addresses of this machine count as public.
    `look_seconds` lie between two looks. A job that fails `attempts` times is given up. What is below is as in
    VerifierSettings.
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
    broker_url: str = ""
    result_backend: str = ""
    attempts: int = 3
    lease_seconds: float = 180.0
    queue_seconds: float = 60.0
    backoff_seconds: float = 1.0
    device: str = "cpu"

    def workers(self) -> VerifierSettings:
        """What the Celery workers need: their queue, this folder and the text."""
        return VerifierSettings(
            api_url=self.api_url,
            rpc_url=self.rpc_url,
            run=self.run,
            key=self.key,
            folder=self.folder,
            data=self.data,
            broker_url=self.broker_url,
            result_backend=self.result_backend,
            attempts=self.attempts,
            lease_seconds=self.lease_seconds,
            queue_seconds=self.queue_seconds,
            backoff_seconds=self.backoff_seconds,
            device=self.device,
        )

    def worker_command(self) -> list[str]:
        """Start one worker, in the environment `workers().to_environment()`."""
        return self.workers().worker_command(WORKERS_MODULE)

    @property
    def blobs(self) -> Path:
        """Where the mirror's blobs lie."""
        return self.folder / BLOBS
