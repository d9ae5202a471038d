"""The fan-out over real Celery workers and real brokers: what is lost, killed or poisoned never becomes a result."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.holds import Threat, holds
from tests.sources import ROOT
from tests.strange_names import STRANGE
from tests.verifier.brokers import BROKERS, free_port, redis_command, running
from tests.verifier.conftest import settings_of
from tests.verifier.fan import Fan
from tests.verifier.slow_tasks import runs
from tests.waiting import until
from verifier.jobs.queue import VerifierApp, make_app
from verifier.jobs.rows import JobRow, JobState
from verifier.jobs.workers import WorkerPool
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.integration
SEGMENTS = tuple(range(12))
SETTINGS = settings_of(Path()).model_copy(update={"lease_seconds": 600.0, "queue_seconds": 3.0, "backoff_seconds": 0.1})


@dataclass
class Bench:
    """One verifier's queue, with workers behind it."""

    settings: VerifierSettings
    app: VerifierApp

    def restart_service(self) -> None:
        """Forget all that the service held in memory."""
        self.app.jobs.rows.close()
        self.app.close()
        self.app = make_app(self.settings)

    def impatient(self) -> Bench:
        """The same rows and workers under a lease that a test can wait for."""
        settings = self.settings.model_copy(update={"lease_seconds": 3.0})
        return Bench(settings, make_app(settings))

    def step(self, fan: Fan) -> bool:
        fan.dispatch(self.app)
        return fan.settled

    def settle(self, fan: Fan) -> Fan:
        until(lambda: self.step(fan))
        return fan


@pytest.fixture(scope="module", params=list(BROKERS))
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = tmp_path_factory.mktemp(request.param)
    folder = place / STRANGE
    folder.mkdir()
    with BROKERS[request.param](place) as address:
        settings = SETTINGS.model_copy(update={"folder": folder, "broker_url": address})
        app = make_app(settings)
        with workers(settings, 2):
            yield Bench(settings, app)


def workers(settings: VerifierSettings, count: int) -> WorkerPool:
    environment = os.environ | settings.to_environment() | {"PYTHONPATH": str(ROOT)}
    return WorkerPool(settings.worker_command("tests.verifier.slow_tasks"), environment, count)


def fan_of(folder: Path, segments: tuple[int, ...] = SEGMENTS, **behaviour: list[int]) -> Fan:
    return Fan(json.dumps({"folder": str(folder), **behaviour}), segments)


def pids_of(name: str, folder: Path) -> list[int]:
    return [pid for ran, pid in runs(folder) if ran == name]


def kill_while_running(bench: Bench, examined: Fan, segment: str, folder: Path) -> int:
    until(lambda: bench.step(examined) or examined.job(int(segment)).state == JobState.RUNNING)
    (killed,) = pids_of(segment, folder)
    os.kill(killed, signal.SIGKILL)
    (folder / "release").touch()
    return killed


def both_hold(folder: Path) -> bool:
    return len({pid for _, pid in runs(folder)}) == 2


def waiting(examined: Fan) -> list[JobRow]:
    return [job for job in examined.jobs if not job.settled]


def test_twelve_segments_fan_out_over_two_workers(bench: Bench, tmp_path: Path) -> None:
    examined = fan_of(tmp_path, held=[0, 1])
    until(lambda: bench.step(examined) or len({pid for _, pid in runs(tmp_path)}) == 2)
    (tmp_path / "release").touch()
    assert bench.settle(examined).done == list(SEGMENTS)
    assert sorted(name for name, _ in runs(tmp_path)) == sorted(map(str, SEGMENTS))


@holds("A killed worker changes no verdict", by="verifier/jobs/rows.py:JobRows.finish", against=Threat.CRASH)
def test_a_killed_workers_segment_is_taken_up_and_counted_once(bench: Bench, tmp_path: Path) -> None:
    hasty, examined = bench.impatient(), fan_of(tmp_path, (0, 1, 2, 3), held=[2])
    killed = kill_while_running(hasty, examined, "2", tmp_path)
    assert not hasty.settle(examined).dead
    assert pids_of("2", tmp_path)[0] == killed
    assert len(pids_of("2", tmp_path)) == 2
    assert examined.job(2).attempts == 1


@pytest.mark.parametrize("bench", ["rabbitmq"], indirect=True)
def test_rabbitmq_reports_a_killed_worker_before_the_lease_ends(bench: Bench, tmp_path: Path) -> None:
    examined = fan_of(tmp_path, (0,), held=[0])
    kill_while_running(bench, examined, "0", tmp_path)
    assert not bench.settle(examined).dead
    assert examined.job(0).attempts == 1


def test_a_segment_longer_than_its_lease_counts_once(bench: Bench, tmp_path: Path) -> None:
    """It may run twice."""
    hasty, examined = bench.impatient(), fan_of(tmp_path, (0, 1), held=[1])
    until(lambda: hasty.step(examined) or len(pids_of("1", tmp_path)) == 2)
    (tmp_path / "release").touch()
    assert not hasty.settle(examined).dead
    assert examined.job(1).attempts == 1


def test_a_segment_that_raises_is_given_up_with_its_traceback(bench: Bench, tmp_path: Path) -> None:
    examined = fan_of(tmp_path, (0, 1, 2, 3), raises=[1])
    (why,) = bench.settle(examined).dead.values()
    assert "segment 1 failed 2 times" in why
    assert "Traceback" in why
    assert "ArithmeticError: poison in segment 1" in why
    assert examined.done == [0, 2, 3]
    assert [name for name, _ in runs(tmp_path)].count("1") == 2


def test_a_segment_that_kills_its_workers_is_abandoned(bench: Bench, tmp_path: Path) -> None:
    """The others finish."""
    hasty, examined = bench.impatient(), fan_of(tmp_path, (0, 1, 2, 3, 4, 5), kills=[3])
    (why,) = hasty.settle(examined).dead.values()
    assert "segment 3 failed 2 times" in why
    assert [name for name, _ in runs(tmp_path)].count("3") == 2
    assert examined.done == [0, 1, 2, 4, 5]
    dead = [job for job in bench.app.jobs.rows.listed(JobState.DEAD) if job.key.subject == examined.subject]
    assert [job.key.name for job in dead] == ["segment 3"]


def test_a_purged_queue_is_filled_again_from_the_rows(bench: Bench, tmp_path: Path) -> None:
    examined = fan_of(tmp_path, held=[*SEGMENTS])  # each worker holds one, and on a slow machine too no third runs
    until(lambda: bench.step(examined) or (both_hold(tmp_path) and all(job.task_id for job in waiting(examined))))
    lost = bench.app.control.purge()
    (tmp_path / "release").touch()
    assert lost >= len(SEGMENTS) - 2
    assert not bench.settle(examined).dead


def test_a_restarted_service_goes_on_from_the_rows(bench: Bench, tmp_path: Path) -> None:
    before = fan_of(tmp_path, (0, 1, 2, 3), held=[3])
    until(lambda: bench.step(before) or len(before.done) == 3)
    bench.restart_service()
    (tmp_path / "release").touch()
    after = replace(before, jobs=[])
    assert bench.settle(after).done == [0, 1, 2, 3]
    ran = [name for name, _ in runs(tmp_path)]
    assert [ran.count(name) for name in ("0", "1", "2")] == [1, 1, 1]


def test_a_redis_that_forgot_everything_is_filled_again(tmp_path: Path) -> None:
    port, server = free_port(), tmp_path / "server"
    server.mkdir()
    address = f"redis://127.0.0.1:{port}/0"
    settings = SETTINGS.model_copy(update={"folder": tmp_path, "broker_url": address})
    app, examined = make_app(settings), fan_of(tmp_path, (0, 1, 2))
    with running(redis_command(port, server), server, address):
        examined.dispatch(app)
        assert app.connection_for_read().default_channel._size(settings.queue_name) == 3
    examined.dispatch(app)
    assert not examined.settled
    with running(redis_command(port, server), server, address), workers(settings, 1):
        assert Bench(settings, app).settle(examined).done == [0, 1, 2]
