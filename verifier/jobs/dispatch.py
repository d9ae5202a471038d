"""From the rows to the workers and back: send due jobs, take in results, count lost tries.

Where the queue or the result store cannot be reached, the rows stay as they are and the next call tries again.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import Celery

from contracts.errors import CommonweightError
from verifier.jobs.folder_results import FolderResults
from verifier.jobs.rows import FILE_NAME, JobRow, JobRows, JobState, Key, Order
from verifier.settings import WorkerSettings

logger = logging.getLogger(__name__)
PAUSE_LIMIT_SECONDS = 60.0
MOST_PATIENCE = 16
"""Most times `queue_seconds` that the board waits for a worker to take a message."""
START_BEFORE = "start_before"


class WorkerLost(CommonweightError):
    """The broker says that a worker had this task and is gone."""

    code = "worker-lost"


class MessageStale(CommonweightError):
    """No worker took the message in time: another one is on its way."""

    code = "message-stale"


@dataclass(frozen=True)
class TaskNews:
    """Celery's record of a task: `result` is its return value, its exception, or the worker that began it."""

    status: str | None = None
    result: Any = None
    traceback: str | None = None


class JobBoard:
    """The jobs of one verifier on their way through Celery. Use it from one thread: `rpc://` replies go to a thread."""

    def __init__(self, app: Celery, settings: WorkerSettings) -> None:
        self._app = app
        self._settings = settings
        self.rows = JobRows(settings.folder / FILE_NAME)
        self.rows.bound(max(settings.lease_seconds, settings.queue_seconds * MOST_PATIENCE, PAUSE_LIMIT_SECONDS))
        self.rows.prune()
        self._sent: dict[Key, int] = {}
        if str(app.conf.result_backend).startswith("rpc"):
            self.rows.disown()

    def add(self, orders: Sequence[Order]) -> None:
        """Take on jobs; a job that was taken on before stays as it is."""
        self.rows.add(orders)

    def one(self, order: Order) -> JobRow:
        """Take on one job unless it was taken on before; returns its row."""
        self.add([order])
        return next(job for job in self.advance(order.key.subject, order.key.stage) if job.key == order.key)

    def advance(self, subject: str, stage: int) -> list[JobRow]:
        """Take in results, end leases that have run out, send due jobs; returns the rows after that."""
        for job in self.rows.of(subject, stage):
            if job.task_id and not job.settled:
                self._collect(job)
        for job in self.rows.of(subject, stage):
            if job.state == JobState.QUEUED and job.until <= self.rows.now() and not self._send(job):
                break
        return self.rows.of(subject, stage)

    def keep(self, subjects: Collection[str]) -> None:
        """Forget the jobs of all other subjects, and results without a job."""
        self.rows.keep(subjects)
        self.rows.prune()
        if isinstance(self._app.backend, FolderResults):
            self._app.backend.keep(self.rows.task_ids())

    def _collect(self, job: JobRow) -> None:
        news = self._news(job.task_id)
        match news.status:
            case "SUCCESS":
                self.rows.finish(job, news.result)
            case "FAILURE" if isinstance(news.result, MessageStale):
                self.rows.release(job, str(news.result), self._settings.backoff_seconds)
            case "FAILURE":
                self._fail(job, str(news.traceback or news.result))
            case "STARTED" if job.state == JobState.QUEUED:
                self._sent.pop(job.key, None)
                self.rows.begin(job, _worker(news.result), self._settings.lease_seconds)
                return
            case _ if job.state == JobState.RUNNING and job.until <= self.rows.now():
                self._fail(job, f"its worker ({job.worker}) was lost or took longer than the lease")
            case _:
                return
        self._forget(job.task_id)

    def _fail(self, job: JobRow, error: str) -> None:
        pause = min(PAUSE_LIMIT_SECONDS, self._settings.backoff_seconds * 2**job.attempts)
        self.rows.fail(job, error, pause)
        logger.warning(
            "%s of %s, try %d of %d: %s", job.key.name, job.key.subject, job.attempts + 1, job.allowed, error
        )

    def _send(self, job: JobRow) -> bool:
        """Whether the queue takes messages. The row first: after a crash between the two the message counts as lost."""
        task_id = str(uuid4())
        patience = self._patience(job.key)
        if not self.rows.send(job, task_id, patience):
            return True
        if job.task_id:
            self._forget(job.task_id)
        try:
            # Celery's own `expires` would also have RabbitMQ drop, silently, a message that a dead worker gives back
            stale = {START_BEFORE: start_before(patience)}
            self._app.send_task(job.task, job.arguments, task_id=task_id, headers=stale)
        except Exception as error:
            logger.warning("the queue cannot be reached, %s waits: %r", job.key.name, error)
            self.rows.release(replace(job, task_id=task_id), f"not sent: {error!r}", self._settings.backoff_seconds)
            return False
        return True

    def _patience(self, key: Key) -> float:
        """Twice as long for each message that no worker took: one of another machine cannot tell which are stale."""
        times = self._sent[key] = self._sent.get(key, 0) + 1
        return self._settings.queue_seconds * min(1 << min(times - 1, 10), MOST_PATIENCE)

    def _news(self, task_id: str) -> TaskNews:
        """News of a task. A result that is half written or out of reach is no result yet."""
        try:
            meta = self._app.backend.get_task_meta(task_id)
            return TaskNews(meta.get("status"), meta.get("result"), meta.get("traceback"))
        except Exception as error:
            logger.warning("the result store cannot be read: %r", error)
            return TaskNews()

    def _forget(self, task_id: str) -> None:
        try:
            self._app.backend.forget(task_id)
        except Exception as error:
            logger.debug("a result is left behind: %r", error)


def start_before(patience: float) -> str:
    """Header with the time when a message is stale, in seconds since this machine started: a clock that nobody sets."""
    return f"{_machine()} {time.monotonic() + patience}"


def is_stale(header: str) -> bool:
    """Whether the board has stopped waiting for a message. A worker cannot tell for another machine's, and runs it."""
    machine, _, until = header.partition(" ")
    return machine == _machine() and time.monotonic() > float(until)


@cache
def _machine() -> str:
    """This start of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{uuid.getnode():x}"


def _worker(started: Any) -> str:
    return f"process {started['pid']} of {started['hostname']}" if isinstance(started, dict) else "unknown"
