from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from verifier.jobs.rows import KEEP_SECONDS, JobRow, JobRows, JobState, Key, Order

pytestmark = pytest.mark.unit
KEY = Key("0xproof", 1, "segment 7")
ORDER = Order(KEY, "verifier.check_segment", ("0xproof", 7), 3)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(tmp_path: Path, clock: Clock) -> Iterator[JobRows]:
    opened = JobRows(tmp_path / "jobs.db", clock)
    opened.add([ORDER])
    yield opened
    opened.close()


def only(rows: JobRows) -> JobRow:
    (job,) = rows.of("0xproof", 1)
    return job


def sent(rows: JobRows, task_id: str) -> JobRow:
    assert rows.send(only(rows), task_id, 60.0)
    return only(rows)


def running(rows: JobRows, task_id: str) -> JobRow:
    assert rows.begin(sent(rows, task_id), "process 1 of here", 180.0)
    return only(rows)


def test_a_job_is_sent_begins_and_is_done(rows: JobRows) -> None:
    assert sent(rows, "first").until == 1_060.0
    assert rows.begin(only(rows), "process 1 of here", 180.0)
    begun = only(rows)
    assert (begun.state, begun.until, begun.worker) == (JobState.RUNNING, 1_180.0, "process 1 of here")
    assert rows.finish(begun, {"failed": False})
    assert (only(rows).state, only(rows).result, only(rows).settled) == (JobState.DONE, {"failed": False}, True)


def test_ordering_again_changes_nothing(rows: JobRows) -> None:
    before = running(rows, "first")
    rows.add([Order(KEY, "verifier.other", (), 9)])
    assert only(rows) == before


def test_the_same_check_of_another_stage_is_another_job(rows: JobRows) -> None:
    rows.add([Order(Key("0xproof", 2, "segment 7"), ORDER.task, ORDER.arguments, 3)])
    assert len(rows.of("0xproof", 1)) == len(rows.of("0xproof", 2)) == 1


@pytest.mark.parametrize(
    "late",
    [
        lambda rows, job: rows.finish(job, {"failed": False}),
        lambda rows, job: rows.fail(job, "late", 0.0),
        lambda rows, job: rows.begin(job, "late", 1.0),
        lambda rows, job: rows.release(job, "late", 0.0),
    ],
    ids=["finish", "fail", "begin", "release"],
)
def test_what_a_superseded_task_says_changes_nothing(rows: JobRows, late: Callable[[JobRows, JobRow], bool]) -> None:
    first = sent(rows, "first")
    sent(rows, "second")
    before = only(rows)
    assert not late(rows, first)
    assert only(rows) == before


def test_a_result_counts_once(rows: JobRows) -> None:
    job = running(rows, "first")
    assert rows.finish(job, 1)
    assert not rows.finish(job, 2)
    assert not rows.fail(job, "too late", 0.0)
    assert only(rows).result == 1


def test_the_last_failed_try_is_dead_with_the_traceback(rows: JobRows) -> None:
    for n in range(3):
        assert rows.listed(JobState.DEAD) == []
        assert rows.fail(running(rows, f"try {n}"), f"Traceback {n}", 5.0)
    (dead,) = rows.listed(JobState.DEAD)
    assert (dead.attempts, dead.settled) == (3, True)
    assert dead.reason() == "segment 7 failed 3 times, the last time: Traceback 2"
    assert not rows.send(dead, "again", 60.0)


def test_a_failed_try_waits_before_the_next(rows: JobRows) -> None:
    rows.fail(running(rows, "first"), "Traceback", 5.0)
    assert (only(rows).state, only(rows).task_id, only(rows).until) == (JobState.QUEUED, "", 1_005.0)


def test_a_lost_message_uses_up_no_try(rows: JobRows) -> None:
    assert rows.release(sent(rows, "first"), "expired", 1.0)
    assert (only(rows).attempts, only(rows).task_id, only(rows).error) == (0, "", "expired")


def test_disowned_jobs_are_sent_again_and_settled_ones_stay(rows: JobRows) -> None:
    rows.add([Order(Key("0xproof", 1, "end"), "verifier.check_end", ("0xproof",), 3)])
    segment, end = rows.of("0xproof", 1)
    rows.send(end, "end", 60.0)
    rows.finish(rows.of("0xproof", 1)[1], {"failed": False})
    rows.send(segment, "first", 60.0)
    rows.begin(rows.of("0xproof", 1)[0], "process 1 of here", 180.0)
    rows.disown()
    segment, end = rows.of("0xproof", 1)
    assert (segment.state, segment.task_id, segment.until, segment.attempts) == (JobState.QUEUED, "", 0.0, 0)
    assert end.state == JobState.DONE


def test_a_dead_job_can_be_given_all_its_tries_again(rows: JobRows) -> None:
    assert not rows.retry(KEY)
    for n in range(3):
        rows.fail(running(rows, f"try {n}"), "Traceback", 0.0)
    assert rows.retry(KEY)
    assert (only(rows).state, only(rows).attempts) == (JobState.QUEUED, 0)


def test_settled_jobs_are_forgotten_after_a_week(rows: JobRows, clock: Clock) -> None:
    rows.finish(running(rows, "first"), 1)
    rows.add([Order(Key("0xproof", 1, "end"), "verifier.check_end", ("0xproof",), 3)])
    clock.now += KEEP_SECONDS + 1
    rows.prune()
    assert [job.key.name for job in rows.of("0xproof", 1)] == ["end"]


def test_rows_outlive_the_process(tmp_path: Path, rows: JobRows) -> None:
    job = running(rows, "first")
    assert JobRows(tmp_path / "jobs.db").of("0xproof", 1) == [job]


def test_the_database_refuses_an_unknown_state(tmp_path: Path, rows: JobRows) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        sqlite3.connect(tmp_path / "jobs.db").execute("UPDATE jobs SET state = 'accepted'")


class Fencing(RuleBasedStateMachine):
    """Any order of deaths, late results and restarts: a result only from the row's own task, tries never above N."""

    @initialize()
    def begin_empty(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.count, self.disowned = Clock(), 0, 0
        self.open()
        self.rows.add([ORDER])
        self.seen = [self.job]
        self.begun = set[str]()

    def open(self) -> None:
        self.rows = JobRows(Path(self.folder.name) / "jobs.db", self.clock)

    @property
    def job(self) -> JobRow:
        return only(self.rows)

    def some(self, age: int) -> JobRow:
        """The row now, or as it was at an earlier time: what a late worker still believes."""
        return self.seen[-1 - age % len(self.seen)]

    def judge(self, changed: bool, job: JobRow, before: JobRow) -> None:
        assert changed == (self.job != before)
        if changed:
            assert (job.task_id, job.attempts) == (before.task_id, before.attempts)
        self.seen.append(self.job)

    @rule(age=strategies.integers(0, 5))
    def send(self, age: int) -> None:
        self.count, before, job = self.count + 1, self.job, self.some(age)
        self.judge(self.rows.send(job, f"task {self.count}", 60.0), job, before)

    @rule(age=strategies.integers(0, 5))
    def begin(self, age: int) -> None:
        before, job = self.job, self.some(age)
        if job.task_id:
            self.judge(self.rows.begin(job, "worker", 180.0), job, before)
            self.begun |= {self.job.task_id} if self.job.state == JobState.RUNNING else set()

    @rule(age=strategies.integers(0, 5))
    def finish(self, age: int) -> None:
        before, job = self.job, self.some(age)
        if job.task_id:
            self.judge(self.rows.finish(job, job.task_id), job, before)
            assert self.job.state != JobState.DONE or before.state == JobState.DONE or self.job.result == before.task_id

    @rule(age=strategies.integers(0, 5))
    def fail(self, age: int) -> None:
        before, job = self.job, self.some(age)
        if job.task_id:
            self.judge(self.rows.fail(job, "Traceback", 1.0), job, before)

    @rule(seconds=strategies.floats(0.1, 500.0), forgotten=strategies.booleans())
    def restart(self, seconds: float, forgotten: bool) -> None:
        self.rows.close()
        self.clock.now += seconds
        self.open()
        if forgotten:
            self.disowned += self.job.state == JobState.RUNNING
            self.rows.disown()
        self.seen.append(self.job)

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "rows"):
            return
        job = self.job
        assert (job.state == JobState.DEAD) == (job.attempts == job.allowed)
        assert (job.result is not None) == (job.state == JobState.DONE)
        assert not (job.settled and job.task_id)
        assert len(self.begun) <= job.allowed + self.disowned

    def teardown(self) -> None:
        if hasattr(self, "rows"):
            self.rows.close()
            self.folder.cleanup()


TestFencing = Fencing.TestCase
TestFencing.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_rows_of_another_boot_or_clock_wait_no_longer(tmp_path: Path) -> None:
    """A file of before, whose times are Unix seconds, or of a machine that has run for a year and was started anew."""
    year = [31_536_000.0]
    before = JobRows(tmp_path / "jobs.db", clock=lambda: year[0])
    before.add([ORDER])
    (job,) = before.of(ORDER.key.subject, ORDER.key.stage)
    assert before.send(job, "a message", 60.0)
    before.close()
    after = JobRows(tmp_path / "jobs.db", clock=lambda: 100.0)
    after.bound(180.0)
    (job,) = after.of(ORDER.key.subject, ORDER.key.stage)
    assert job.until <= after.now()
    after.close()
