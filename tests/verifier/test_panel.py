from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from contracts.draw import boundaries_to_open
from contracts.reasons import Reason
from verifier.dispatch import START_BEFORE, MessageStale, WorkerLost
from verifier.jobs import State
from verifier.panel import ACCEPT, NO_SEGMENT, REJECT, UNDECIDED, Examination, Outcome
from verifier.queue import OnceTask, VerifierApp, make_app
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.unit
PROOF = "0xproof"


@pytest.fixture
def app(tmp_path: Path) -> VerifierApp:
    """The folder broker without a worker: the tests play the worker."""
    return make_app(VerifierSettings("", "", "", "", tmp_path, attempts=2, backoff_seconds=0.0))


@pytest.fixture
def examined(app: VerifierApp) -> Examination:
    begun = Examination(PROOF, (3, 8), 10, attempts=2)
    begun.dispatch(app)
    return begun


def passed(segment: int, measured: int = 0) -> dict[str, Any]:
    return {"failed": False, "segment": segment, "measured": str(measured)}


def refused(segment: int, **changes: Any) -> dict[str, Any]:
    reason = int(Reason.REPLAY_MISMATCH)
    return {
        "failed": True, "reason": reason, "segment": segment, "detail": "differs", "measured": "5", "limit": "0",
    } | changes  # fmt: skip


def say(app: VerifierApp, examined: Examination, name: str, result: Any, state: str = "SUCCESS") -> None:
    (task_id,) = [job.task_id for job in examined.jobs if job.key.name == name]
    app.backend.store_result(task_id, result, state)


def answer(app: VerifierApp, examined: Examination, **results: Any) -> Outcome | None:
    """The outcome once end, segment 3 and segment 8 have said what is given, by default that all is well."""
    for name, result in {"end": passed(9), "segment_3": passed(3), "segment_8": passed(8), **results}.items():
        say(app, examined, name.replace("_", " "), result)
    examined.dispatch(app)
    return examined.outcome()


def test_every_check_passed_is_an_accept_with_the_largest_error(app: VerifierApp, examined: Examination) -> None:
    outcome = answer(app, examined, segment_3=passed(3, 7), segment_8=passed(8, 4))
    assert outcome == Outcome(ACCEPT, Reason.NONE, NO_SEGMENT, 7, 0)


def test_nothing_is_said_before_anything_was_sent() -> None:
    assert Examination(PROOF, (3, 8), 10, attempts=2).outcome() is None


@pytest.mark.parametrize("missing", ["end", "segment 3", "segment 8"])
def test_nothing_is_said_while_a_check_is_missing(app: VerifierApp, examined: Examination, missing: str) -> None:
    for name, result in {"end": passed(9), "segment 3": passed(3), "segment 8": passed(8)}.items():
        if name != missing:
            say(app, examined, name, result)
    examined.dispatch(app)
    assert examined.outcome() is None


def test_the_first_wrong_segment_rejects(app: VerifierApp, examined: Examination) -> None:
    outcome = answer(app, examined, segment_8=refused(8), segment_3=refused(3, measured="6"))
    assert outcome == Outcome(REJECT, Reason.REPLAY_MISMATCH, 3, 6, 0, "differs")


@pytest.mark.parametrize(
    "unsound",
    [
        None, [], "accept", {}, {"failed": False}, {"failed": None, "segment": 3, "measured": "0"},
        {"failed": 0, "segment": 3, "measured": "0"}, {"failed": False, "segment": 3, "measured": None},
        passed(8), passed(4), refused(3, reason=0), refused(3, reason=999), {"failed": True, "segment": 3},
    ],
    ids=[
        "null", "list", "text", "empty", "no-segment", "failed-null", "failed-zero", "no-measure", "other-segment",
        "undrawn-segment", "reject-without-reason", "unknown-reason", "reject-without-detail",
    ],
)  # fmt: skip
def test_a_result_that_is_not_sound_is_undecided(app: VerifierApp, examined: Examination, unsound: Any) -> None:
    outcome = answer(app, examined, segment_3=unsound)
    assert outcome is not None
    assert (outcome.outcome, outcome.reason, outcome.segment) == (UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT)
    assert "segment 3 gave no sound result" in outcome.detail


def fail_twice(app: VerifierApp, examined: Examination, name: str) -> None:
    for _ in range(2):
        (task_id,) = [job.task_id for job in examined.jobs if job.key.name == name]
        app.backend.mark_as_failure(task_id, ArithmeticError("poison"), traceback="Traceback: poison")
        examined.dispatch(app)


def test_a_check_that_never_succeeds_is_undecided_with_its_traceback(app: VerifierApp, examined: Examination) -> None:
    say(app, examined, "end", passed(9))
    say(app, examined, "segment 8", passed(8))
    fail_twice(app, examined, "segment 3")
    outcome = examined.outcome()
    detail = "segment 3 failed 2 times, the last time: Traceback: poison"
    assert outcome == Outcome(UNDECIDED, Reason.VERIFIER_FAILED, NO_SEGMENT, 0, 0, detail)


def test_a_wrong_segment_rejects_though_another_could_not_be_checked(app: VerifierApp, examined: Examination) -> None:
    """Else a node would hide a wrong segment behind one that crashes its verifiers."""
    say(app, examined, "end", passed(9))
    say(app, examined, "segment 8", refused(8))
    fail_twice(app, examined, "segment 3")
    outcome = examined.outcome()
    assert outcome is not None
    assert (outcome.outcome, outcome.segment) == (REJECT, 8)


def test_a_result_of_a_superseded_task_is_not_read(app: VerifierApp, examined: Examination) -> None:
    (first,) = [job.task_id for job in examined.jobs if job.key.name == "segment 3"]
    app.backend.mark_as_failure(first, ArithmeticError("poison"), traceback="Traceback")
    examined.dispatch(app)
    app.backend.store_result(first, passed(3), "SUCCESS")
    say(app, examined, "end", passed(9))
    say(app, examined, "segment 8", passed(8))
    examined.dispatch(app)
    assert examined.outcome() is None
    say(app, examined, "segment 3", passed(3, 2))
    examined.dispatch(app)
    assert examined.outcome() == Outcome(ACCEPT, Reason.NONE, NO_SEGMENT, 2, 0)


def test_a_half_written_result_is_none_yet(app: VerifierApp, examined: Examination, tmp_path: Path) -> None:
    (task_id,) = [job.task_id for job in examined.jobs if job.key.name == "end"]
    file = tmp_path / "queue" / "results" / f"celery-task-meta-{task_id}"
    file.write_text('{"status": "SUCC')
    examined.dispatch(app)
    assert [job.state for job in examined.jobs] == [State.QUEUED] * 3
    file.unlink()
    assert answer(app, examined) == Outcome(ACCEPT, Reason.NONE, NO_SEGMENT, 0, 0)


def test_results_are_not_kept_twice(app: VerifierApp, examined: Examination, tmp_path: Path) -> None:
    answer(app, examined)
    assert list((tmp_path / "queue" / "results").iterdir()) == []


def test_dispatching_again_sends_nothing_again(app: VerifierApp, examined: Examination, tmp_path: Path) -> None:
    examined.dispatch(app)
    examined.dispatch(app)
    assert len(list((tmp_path / "queue" / "messages").iterdir())) == 3


def test_a_stage_starts_from_its_own_rows(app: VerifierApp, examined: Examination) -> None:
    answer(app, examined)
    second = Examination(PROOF, (3, 8), 10, attempts=2, stage=2)
    second.dispatch(app)
    assert second.outcome() is None


def test_it_starts_when_all_boundaries_are_open_or_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Examination(PROOF, (3, 8), 10, attempts=2)
    opened = list(boundaries_to_open((3, 8), 10))
    assert begun.ready_to_start({"opened": opened, "opening_deadline": None})
    for late in (None, time.time() + 60):
        assert not begun.ready_to_start({"opened": opened[1:], "opening_deadline": late})
    over = {"opened": opened[1:], "opening_deadline": time.time() - 1}
    assert not begun.ready_to_start(over), "a server that was away gives more time in a moment"
    assert not begun.ready_to_start({"opened": opened[1:], "opening_deadline": time.time() + 100})
    monkeypatch.setattr("verifier.panel.SECOND_LOOK_SECONDS", 0.0)
    assert begun.ready_to_start(over)


def test_a_message_that_another_worker_had_taken_is_not_run(app: VerifierApp) -> None:
    task = app.register_task(OnceTask())
    task.push_request(delivery_info={"redelivered": False})
    task.before_start("id", (), {})
    task.push_request(delivery_info={"redelivered": True})
    with pytest.raises(WorkerLost):
        task.before_start("id", (), {})


def test_a_message_that_waited_too_long_is_not_run_and_costs_no_try(app: VerifierApp, examined: Examination) -> None:
    task = app.register_task(OnceTask())
    task.push_request(delivery_info={}, **{START_BEFORE: time.time() + 60})
    task.before_start("id", (), {})
    task.push_request(delivery_info={}, **{START_BEFORE: time.time() - 1})
    with pytest.raises(MessageStale) as stale:
        task.before_start("id", (), {})
    (task_id,) = [job.task_id for job in examined.jobs if job.key.name == "end"]
    app.backend.mark_as_failure(task_id, stale.value, traceback="Traceback")
    examined.dispatch(app)
    end = next(job for job in examined.jobs if job.key.name == "end")
    assert (end.state, end.attempts) == (State.QUEUED, 0)
    assert end.task_id not in ("", task_id)


def test_loading_the_tasks_without_settings_touches_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMMONWEIGHT_VERIFIER", raising=False)
    make_app(VerifierSettings.from_environment())
    assert list(tmp_path.iterdir()) == []
