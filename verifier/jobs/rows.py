"""A verifier's jobs, as rows of its own: the row is the truth, the queue only wakes workers.

    queued ── a worker began ──▶ running ── its result ──▶ done
      ▲                             │
      └── raised, or was lost ──────┴── the last allowed time ──▶ dead (never an accept)

Every dispatch has a task id of its own, and that id fences: a late result of an earlier dispatch changes nothing.
One process writes (the service); any may read. A row that is sent twice costs time and never changes a verdict.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

KEEP_SECONDS = 7 * 86_400
FILE_NAME = "jobs.db"


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True)
class Key:
    """The subject of a job: a proof at a stage or a run at a round (`subject`, `stage`), and which check of it."""

    subject: str
    stage: int
    name: str


@dataclass(frozen=True)
class Order:
    """One Celery task that has to give a result; after `allowed` failed tries it is dead."""

    key: Key
    task: str
    arguments: Sequence[Any]
    allowed: int


@dataclass(frozen=True)
class JobRow:
    """A row. `until` (by `JobRows.now`) ends the lease, or the wait for the next dispatch where `task_id` is empty."""

    key: Key
    task: str
    arguments: list[Any]
    allowed: int
    state: JobState
    attempts: int
    task_id: str
    until: float
    worker: str
    error: str
    result: Any

    @property
    def settled(self) -> bool:
        """Done or dead: nothing more will happen."""
        return self.state in (JobState.DONE, JobState.DEAD)

    def reason(self) -> str:
        """Why there is no result, with the kept traceback."""
        return f"{self.key.name} failed {self.attempts} times, the last time: {self.error}"


class JobRows:
    """The rows of one verifier. Every change is one statement and holds only for the task id that it names.

    Its clock is the machine's seconds since it started, which nobody sets.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._db = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # a job that a power cut loses is done again
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def now(self) -> float:
        """The time with which `until` is compared."""
        return self._clock()

    def bound(self, longest: float) -> None:
        """At a start: no row waits for more than `longest` seconds, whatever the machine's clock was when it began."""
        now = self._clock()
        self._db.execute(
            "UPDATE jobs SET changed = MIN(changed, ?), until = CASE WHEN until > ? THEN ? ELSE until END",
            (now, now + longest, now),
        )

    def add(self, orders: Sequence[Order]) -> None:
        """Insert orders that have no row yet; an order with a row goes on from the row's state."""
        self._db.executemany(
            "INSERT OR IGNORE INTO jobs (subject, stage, name, task, arguments, allowed, changed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*_place(o.key), o.task, json.dumps(list(o.arguments)), o.allowed, self._clock()) for o in orders],
        )

    def of(self, subject: str, stage: int) -> list[JobRow]:
        """All jobs of a subject at a stage, in the order of their insertion."""
        rows = self._db.execute(f"{_SELECT} WHERE subject = ? AND stage = ? ORDER BY rowid", (subject, stage))
        return [_job(row) for row in rows]

    def listed(self, state: JobState | None = None) -> list[JobRow]:
        """All rows or those in one state, newest change first."""
        where, values = ("", ()) if state is None else ("WHERE state = ?", (state,))
        return [_job(row) for row in self._db.execute(f"{_SELECT} {where} ORDER BY changed DESC, rowid", values)]

    def send(self, job: JobRow, task_id: str, patience: float) -> bool:
        """A message with a new task id is about to leave; a worker has `patience` seconds to begin."""
        return self._change(job, (JobState.QUEUED,), task_id=task_id, until=self._clock() + patience)

    def begin(self, job: JobRow, worker: str, lease: float) -> bool:
        """A worker has begun and has `lease` seconds."""
        return self._change(job, (JobState.QUEUED,), state=JobState.RUNNING, worker=worker, until=self._clock() + lease)

    def finish(self, job: JobRow, result: Any) -> bool:
        """The task of the row's own id gave its result. Counts once."""
        return self._change(job, _OPEN, state=JobState.DONE, result=json.dumps(result), task_id="", error="")

    def fail(self, job: JobRow, error: str, pause: float) -> bool:
        """A try is used up; the next may leave in `pause` seconds, and after the last one the row is dead."""
        dead = job.attempts + 1 >= job.allowed
        return self._change(
            job,
            _OPEN,
            state=JobState.DEAD if dead else JobState.QUEUED,
            attempts=job.attempts + 1,
            error=error,
            task_id="",
            until=self._clock() + pause,
        )

    def release(self, job: JobRow, why: str, pause: float) -> bool:
        """The message never reached a run of the task: no try is used up, and it is sent again in `pause` seconds."""
        return self._change(job, _OPEN, state=JobState.QUEUED, task_id="", error=why, until=self._clock() + pause)

    def disown(self) -> None:
        """Results of sent messages can no longer arrive (they went to a process that is gone): send all again."""
        self._db.execute(
            "UPDATE jobs SET state = 'queued', task_id = '', until = 0 WHERE state IN ('queued', 'running')"
        )

    def retry(self, key: Key) -> bool:
        """Give a dead job all its tries again; whether there was one."""
        cursor = self._db.execute(
            "UPDATE jobs SET state = 'queued', attempts = 0, until = 0, changed = ?"
            " WHERE subject = ? AND stage = ? AND name = ? AND state = 'dead'",
            (self._clock(), *_place(key)),
        )
        return cursor.rowcount == 1

    def task_ids(self) -> set[str]:
        """Task ids of the messages that may still be answered."""
        return {str(task_id) for (task_id,) in self._db.execute("SELECT task_id FROM jobs WHERE task_id != ''")}

    def keep(self, subjects: Collection[str]) -> None:
        """Forget the jobs of all other subjects, but dead ones: these are shown for a week."""
        self._db.execute(
            "DELETE FROM jobs WHERE state != 'dead' AND subject NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(subjects)),),
        )

    def prune(self) -> None:
        """Forget jobs that were settled more than a week ago."""
        self._db.execute(
            "DELETE FROM jobs WHERE state IN ('done', 'dead') AND changed < ?", (self._clock() - KEEP_SECONDS,)
        )

    def _change(self, job: JobRow, from_states: Sequence[JobState], **values: Any) -> bool:
        fields = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(from_states))
        cursor = self._db.execute(
            f"UPDATE jobs SET {fields}, changed = ? WHERE subject = ? AND stage = ? AND name = ?"  # noqa: S608
            f" AND task_id = ? AND attempts = ? AND state IN ({marks})",
            (*values.values(), self._clock(), *_place(job.key), job.task_id, job.attempts, *from_states),
        )
        return cursor.rowcount == 1


def _place(key: Key) -> tuple[str, int, str]:
    return key.subject, key.stage, key.name


def _job(row: tuple[Any, ...]) -> JobRow:
    subject, stage, name, task, arguments, allowed, state, attempts, task_id, until, worker, error, result = row
    return JobRow(
        Key(subject, stage, name),
        task,
        json.loads(arguments),
        allowed,
        JobState(state),
        attempts,
        task_id,
        until,
        worker,
        error,
        json.loads(result),
    )


_OPEN = (JobState.QUEUED, JobState.RUNNING)
_SELECT = (
    "SELECT subject, stage, name, task, arguments, allowed, state, attempts, task_id, until, worker, error, result"
    " FROM jobs"
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    subject TEXT NOT NULL, stage INTEGER NOT NULL, name TEXT NOT NULL,
    task TEXT NOT NULL, arguments TEXT NOT NULL, allowed INTEGER NOT NULL CHECK (allowed > 0),
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts <= allowed),
    task_id TEXT NOT NULL DEFAULT '', until REAL NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT 'null',
    changed REAL NOT NULL, UNIQUE (subject, stage, name)
) STRICT
"""
