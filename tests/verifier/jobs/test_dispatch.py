"""Results on their way back: each counts once, and none that is torn, late or of a task that was given up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.verifier.fan import Fan
from verifier.jobs.dispatch import START_BEFORE, MessageStale, WorkerLost, is_stale, start_before
from verifier.jobs.queue import OnceTask, VerifierApp, make_app
from verifier.jobs.rows import JobState, Key
from verifier.settings import PREFIX, VerifierSettings, WorkerSettings

pytestmark = pytest.mark.unit


@pytest.fixture
def app(tmp_path: Path, settings: VerifierSettings) -> VerifierApp:
    """The folder broker without a worker: the tests play the worker."""
    return make_app(settings)


@pytest.fixture
def fan(app: VerifierApp) -> Fan:
    begun = Fan("0xproof", (3, 8))
    begun.dispatch(app)
    return begun


def say(app: VerifierApp, fan: Fan, segment: int, result: int) -> None:
    app.backend.store_result(fan.job(segment).task_id, result, "SUCCESS")


def fail(app: VerifierApp, fan: Fan, segment: int) -> str:
    task_id = fan.job(segment).task_id
    app.backend.mark_as_failure(task_id, ArithmeticError("poison"), traceback="Traceback: poison")
    fan.dispatch(app)
    return task_id


def test_results_come_back_and_are_not_kept_twice(app: VerifierApp, fan: Fan, tmp_path: Path) -> None:
    say(app, fan, 3, 7)
    fan.dispatch(app)
    assert (fan.settled, fan.done) == (False, [7])
    say(app, fan, 8, 4)
    fan.dispatch(app)
    assert (fan.settled, fan.done, fan.dead) == (True, [4, 7], {})
    assert list((tmp_path / "queue" / "results").iterdir()) == []


def test_what_never_succeeds_is_given_up_with_its_traceback(app: VerifierApp, fan: Fan) -> None:
    say(app, fan, 8, 4)
    for _ in range(2):
        fail(app, fan, 3)
    assert fan.settled
    assert fan.dead == {"segment 3": "segment 3 failed 2 times, the last time: Traceback: poison"}


def test_a_result_of_a_superseded_task_is_not_read(app: VerifierApp, fan: Fan) -> None:
    first = fail(app, fan, 3)
    app.backend.store_result(first, 1, "SUCCESS")
    say(app, fan, 8, 4)
    fan.dispatch(app)
    assert fan.done == [4]
    say(app, fan, 3, 2)
    fan.dispatch(app)
    assert fan.done == [2, 4]


def test_a_half_written_result_is_none_yet(app: VerifierApp, fan: Fan, tmp_path: Path) -> None:
    file = tmp_path / "queue" / "results" / f"celery-task-meta-{fan.job(3).task_id}"
    file.write_text('{"status": "SUCC')
    fan.dispatch(app)
    assert [job.state for job in fan.jobs] == [JobState.QUEUED] * 2
    file.unlink()
    say(app, fan, 3, 7)
    fan.dispatch(app)
    assert fan.done == [7]


def test_dispatching_again_sends_nothing_again(app: VerifierApp, fan: Fan, tmp_path: Path) -> None:
    fan.dispatch(app)
    fan.dispatch(app)
    assert len(list((tmp_path / "queue" / "messages").iterdir())) == 2


def test_a_message_that_another_worker_had_taken_is_not_run(app: VerifierApp) -> None:
    task = app.register_task(OnceTask())
    task.push_request(delivery_info={"redelivered": False})
    task.before_start("id", (), {})
    task.push_request(delivery_info={"redelivered": True})
    with pytest.raises(WorkerLost):
        task.before_start("id", (), {})


def test_a_message_that_waited_too_long_costs_no_try(app: VerifierApp, fan: Fan) -> None:
    """It is not run."""
    task = app.register_task(OnceTask())
    task.push_request(delivery_info={}, **{START_BEFORE: start_before(60)})
    task.before_start("id", (), {})
    task.push_request(delivery_info={}, **{START_BEFORE: start_before(-1)})
    with pytest.raises(MessageStale) as stale:
        task.before_start("id", (), {})
    task_id = fan.job(3).task_id
    app.backend.mark_as_failure(task_id, stale.value, traceback="Traceback")
    fan.dispatch(app)
    assert (fan.job(3).state, fan.job(3).attempts) == (JobState.QUEUED, 0)
    assert fan.job(3).task_id not in ("", task_id)


def test_loading_the_tasks_without_settings_touches_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    make_app(WorkerSettings.of_this_process())
    assert list(tmp_path.iterdir()) == []


def test_another_machines_message_is_run_however_long_it_waited() -> None:
    assert is_stale(start_before(-1))
    assert not is_stale(start_before(60))
    assert not is_stale("another-machine 0.0")


def test_an_untaken_message_is_sent_again_after_twice_as_long(app: VerifierApp) -> None:
    key = Key("0xproof", 1, "segment 7")
    waits = [app.jobs._patience(key) / app.settings.queue_seconds for _ in range(6)]
    assert waits == [1, 2, 4, 8, 16, 16]
