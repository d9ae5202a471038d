from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.verifier.conftest import settings_of
from verifier.settings import VARIABLE, VerifierSettings

pytestmark = pytest.mark.unit
SETTINGS = replace(
    settings_of(Path("folder")),
    data=(Path("a.txt"),),
    broker_url="redis://here/0",
    attempts=5,
    lease_seconds=7.5,
    device="cuda",
)


def test_a_worker_reads_what_the_service_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.to_environment().items():
        monkeypatch.setenv(name, value)
    found = VerifierSettings.from_environment()
    same = (
        "folder",
        "data",
        "broker_url",
        "result_backend",
        "attempts",
        "lease_seconds",
        "queue_name",
        "queue_seconds",
        "backoff_seconds",
        "device",
        "blobs",
    )
    assert [getattr(found, name) for name in same] == [getattr(SETTINGS, name) for name in same]


def test_workers_do_not_get_the_key_and_nobody_is_shown_it() -> None:
    assert "11" * 32 not in json.dumps(SETTINGS.to_environment())
    assert VARIABLE in SETTINGS.to_environment()
    assert "11" * 32 not in repr(SETTINGS)


def test_two_verifiers_on_one_server_have_queues_of_their_own() -> None:
    assert SETTINGS.queue_name != replace(SETTINGS, key="0x" + "22" * 32).queue_name
    assert SETTINGS.queue_name == replace(SETTINGS, folder=Path("other")).queue_name


def test_the_folder_broker_moves_messages_within_its_own_folder() -> None:
    assert "TMPDIR" not in SETTINGS.to_environment()
    taken = Path(replace(SETTINGS, broker_url="").to_environment()["TMPDIR"])
    assert taken == (Path("folder") / "queue" / "taken").resolve()
