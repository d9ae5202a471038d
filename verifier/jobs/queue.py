"""The Celery application: JSON only, acknowledged late, one task at a time, each dispatch run at most once.

The queue only wakes workers: the jobs stand in the verifier's own rows (`verifier.jobs.rows`).
"""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import Any

from celery import Celery, Task

from contracts.files.whole_file import STALE_SECONDS
from verifier.jobs.dispatch import START_BEFORE, JobBoard, MessageStale, WorkerLost, is_stale
from verifier.settings import WorkerSettings


class OnceTask(Task):  # type: ignore[misc]
    """Late acknowledgement as the notice of a death, not as a second run.

    A broker delivers a message again when its worker is gone, without counting: a task that kills its workers
    would do so for ever. The worker that gets such a message fails it instead, and the row decides about another try.
    """

    abstract = True

    def before_start(self, _task_id: str, _args: Any, _kwargs: Any) -> None:
        """Raises WorkerLost for a message that another worker had taken, MessageStale for one given up since."""
        if (self.request.delivery_info or {}).get("redelivered"):
            raise WorkerLost("the worker that had taken this task is gone")
        header = self.request.get(START_BEFORE)
        if header is not None and is_stale(header):
            raise MessageStale("the message waited too long for a worker")


class VerifierApp(Celery):  # type: ignore[misc]
    """A Celery application with the rows of its verifier's jobs; only the service opens them."""

    settings: WorkerSettings

    @cached_property
    def jobs(self) -> JobBoard:
        """The rows, opened on first use."""
        return JobBoard(self, self.settings)


def make_app(settings: WorkerSettings) -> VerifierApp:
    """An application on the settings' broker, or on a folder where none is named."""
    app = VerifierApp("verifier", task_cls=OnceTask)
    app.settings = settings
    app.conf.update(
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        task_track_started=True,
        result_expires=3600,
        worker_enable_remote_control=False,
        task_default_queue=settings.queue_name,
        # a solo worker is silent while it replays: with heartbeats RabbitMQ would take it for dead
        broker_heartbeat=0,
    )
    if settings.broker_url:
        app.conf.update(broker_url=settings.broker_url, result_backend=_result_store(settings))
    if settings.broker_url.startswith("redis"):
        # Redis knows no lost worker: it hands a message out again after a time, which must lie after the lease
        app.conf.update(broker_transport_options={"visibility_timeout": 2 * settings.lease_seconds})
    if not settings.broker_url:
        _use_folder(app, settings.queue_folder)
        _declare(app)
    return app


def _result_store(settings: WorkerSettings) -> str:
    """Redis keeps results itself; RabbitMQ sends them to the process that asked."""
    url = settings.result_backend or settings.broker_url
    if url.startswith("redis"):
        return f"verifier.jobs.polled_redis:PolledRedisBackend+{url}"
    return settings.result_backend or "rpc://"


def _use_folder(app: Celery, folder: Path) -> None:
    for name in ("messages", "control", "taken", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _sweep(folder / "taken")
    messages = str(folder / "messages")
    app.conf.update(
        broker_url="filesystem://",
        broker_transport_options={
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,
        },
        result_backend="verifier.jobs.folder_results:FolderResults",
    )


def _sweep(taken: Path) -> None:
    """Messages that workers had in their hands when they were killed: their rows send others."""
    for path in taken.glob("*.msg"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink(missing_ok=True)


def _declare(app: Celery) -> None:
    """The service comes first: two workers that create the exchange's file at once read it half written."""
    with app.connection_for_write() as connection:
        app.amqp.queues[app.conf.task_default_queue].bind(connection.default_channel).declare()
