"""All settings of a verifier and of its Celery workers, from the environment (COMMONWEIGHT_VERIFIER_...) or from the
command line. Workers read the part that is theirs, in which there is no key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from eth_account import Account
from pydantic import AfterValidator
from pydantic_settings import SettingsConfigDict

from contracts.chain.deployment_setting import DeploymentSetting
from contracts.ids import RunId
from contracts.mirrors.urls import public_address
from contracts.process.settings import (
    Count,
    FilePath,
    Key,
    Paths,
    Port,
    ProcessSettings,
    Seconds,
    Texts,
    Url,
    Urls,
)
from trainer.data.place import DEFAULT_LIMIT, CorpusSettings
from trainer.genesis.place import WeightsPlace

PREFIX = "COMMONWEIGHT_VERIFIER_"
WORKERS_MODULE = "verifier.replay.tasks"
BLOBS, MERGED, WORKERS_LOG = "mirror/blobs", "merged", "workers.log"
"""Below the verifier's folder: the mirror's blobs, outer steps on their way there, and the workers' output."""


def require_broker(text: str) -> str:
    """The address of a Celery broker, or nothing. Raises ValueError: workers on one that is none judge nothing."""
    from kombu.transport import resolve_transport

    scheme, mark, _ = text.strip().partition("://")
    try:
        if text.strip() and (not mark or resolve_transport(scheme) is None):
            raise ValueError(f"{text!r} is not the address of a broker, for instance redis://127.0.0.1:6379")
    except (KeyError, ImportError) as error:
        raise ValueError(f"this machine has no broker of the kind {scheme!r}: {error}") from error
    return text.strip()


class WorkerSettings(ProcessSettings):
    """A worker's settings: no key, no chain and no server. `folder` is the verifier's. The run's text is `data`, or the
    `corpus` of an index, a folder or an address, of whose shards `corpus_limit` bytes are kept; `weights` is where the
    file of its first weights lies. With `loopback` addresses of this machine count as public.

    `broker_url` is empty for the built-in broker, a folder that needs no server; else Redis or RabbitMQ. A job that
    fails `attempts` times is given up; between its tries it waits `backoff_seconds`, doubling. `lease_seconds` must
    exceed the longest job: a worker that takes longer counts as lost. A message that no worker has taken for
    `queue_seconds` is sent again, which uses up no attempt. `queue` names the queue, empty for one of the verifier's
    key. Portable runs are replayed on `device`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    folder: FilePath
    data: Paths = ()
    corpus: str = ""
    corpus_mirrors: Texts = ()
    corpus_limit: Count = DEFAULT_LIMIT
    weights: str = ""
    loopback: bool = True
    broker_url: Annotated[str, AfterValidator(require_broker)] = ""
    result_backend: str = ""
    attempts: Count = 3
    lease_seconds: Seconds = 180.0
    queue_seconds: Seconds = 60.0
    backoff_seconds: Seconds = 1.0
    queue: str = ""
    device: str = "cpu"

    @property
    def queue_name(self) -> str:
        """The queue from which workers take."""
        return self.queue or "verifier-nobody"

    @property
    def queue_folder(self) -> Path:
        """Folder in which the built-in broker keeps messages and results."""
        return self.folder / "queue"

    @property
    def blobs(self) -> Path:
        """Folder of the mirror's blobs."""
        return self.folder / BLOBS

    def text(self) -> CorpusSettings:
        """Where the run's text is."""
        return CorpusSettings(
            self.data, self.corpus, self.folder / "corpus", self.corpus_limit, self.loopback, self.corpus_mirrors
        )

    def first_weights(self) -> WeightsPlace:
        """Where the run's first weights are, if they are another model's."""
        return WeightsPlace(self.weights, self.folder / "weights", self.loopback)

    @property
    def workers_log(self) -> Path:
        """File of the workers' output."""
        return self.folder / WORKERS_LOG

    @classmethod
    def of_this_process(cls) -> WorkerSettings:
        """Settings that `to_environment` wrote; without any variable those of a worker for `celery inspect` and tests.

        Raises MissingSetting and InvalidSetting.
        """
        if any(name.startswith(PREFIX.rstrip("_")) for name in os.environ):
            return cls.from_environment()
        return cls(folder=Path(), broker_url="memory://", result_backend="cache+memory://")

    def to_environment(self) -> dict[str, str]:
        """The variables for the worker processes: their settings, and no key."""
        own = {self.variable_of("queue"): self.queue_name, "OMP_NUM_THREADS": "1"}
        variables = self.variables(WorkerSettings.model_fields) | own
        if not self.broker_url:
            # the folder broker takes a message by moving it to the folder for temporary files: a rename is only
            # exclusive within one file system
            variables["TMPDIR"] = str((self.queue_folder / "taken").resolve())
        return variables

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


class VerifierSettings(WorkerSettings):
    """`run` is the run that this verifier anchors in (0x-hex); `folder` is its own.

    The mirror listens on `host` and `port` (0: a free one) and is reached at `public_url`: empty for its own address
    where `loopback` is set, and for nowhere otherwise.
    `look_seconds` lie between two looks. `give_up_after` are the seconds after which a verifier ends to which neither
    the server nor any mirror answers; with 0 it waits for ever. A message that k signed and no server brought to the
    chain in `relay_seconds` is brought there by the verifiers in turn. With `other_rpc_urls` final blocks are read from
    two chain nodes; with `finality_depth` they lie so many blocks behind the newest.
    """

    api_url: Url
    rpc_url: Url
    deployment: DeploymentSetting
    run: RunId
    key: Key
    host: str = "127.0.0.1"
    port: Port = 0
    public_url: Annotated[str, AfterValidator(public_address)] = ""
    look_seconds: Seconds = 1.0
    give_up_after: Seconds = 0.0
    relay_seconds: Seconds = 600.0
    other_rpc_urls: Urls = ()
    finality_depth: Count | None = None

    @property
    def queue_name(self) -> str:
        """A queue of this verifier's own, so that verifiers can share a server."""
        return self.queue or f"verifier-{Account.from_key(self.key).address[2:14].lower()}"
