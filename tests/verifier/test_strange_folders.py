"""A verifier's queue in folders with names that people have: messages go out, results come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.strange_names import NAMES, STRANGE
from tests.verifier.conftest import settings_of
from tests.verifier.fan import Fan
from verifier.jobs.queue import VerifierApp, make_app
from verifier.settings import WorkerSettings

pytestmark = pytest.mark.unit


@pytest.fixture(params=[*NAMES, STRANGE])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> VerifierApp:
    """The folder broker without a worker: the test plays the worker."""
    return make_app(settings_of(tmp_path / request.param))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_message_goes_out_and_its_result_comes_back(app: VerifierApp, tmp_path: Path) -> None:
    queue = app.settings.queue_folder
    fan = Fan("0xproof", (3, 8))
    fan.dispatch(app)
    assert len(files(queue / "messages")) == 2
    for segment in (3, 8):
        app.backend.store_result(fan.job(segment).task_id, segment + 1, "SUCCESS")
    assert len(files(queue / "results")) == 2
    fan.dispatch(app)
    assert (fan.settled, fan.done, files(queue / "results")) == (True, [4, 9], [])
    assert files(tmp_path) == [app.settings.folder.name], "nothing lies beside the folder"


def test_a_worker_has_the_same_folder(app: VerifierApp, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in app.settings.to_environment().items():
        monkeypatch.setenv(name, value)
    found = WorkerSettings.of_this_process()
    assert found.folder == app.settings.folder
    assert Path(os.environ["TMPDIR"]) == found.queue_folder / "taken"
    assert os.environ["COMMONWEIGHT_VERIFIER_FOLDER"] == str(found.folder)


def test_results_that_nobody_asks_for_go_with_their_round(tmp_path: Path) -> None:
    app = make_app(settings_of(tmp_path))
    old, live = Fan("0xold", (1, 2)), Fan("0xlive", (1,))
    for fan in (old, live):
        fan.dispatch(app)
    late = old.job(2).task_id
    app.jobs.keep({"0xlive"})
    for task_id in (late, live.job(1).task_id):
        app.backend.store_result(task_id, 1, "SUCCESS")
    assert len(files(app.settings.queue_folder / "results")) == 2
    app.jobs.keep({"0xlive"})
    assert app.jobs.rows.of("0xold", 1) == []
    assert files(app.settings.queue_folder / "results") == [f"celery-task-meta-{live.job(1).task_id}"]
    live.dispatch(app)
    assert live.done == [1]
