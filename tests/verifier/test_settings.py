from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.mirrors.urls import public_address
from contracts.process.setting_errors import InvalidSetting, MissingSetting
from tests.verifier.conftest import settings_of
from verifier.settings import PREFIX, VerifierSettings, WorkerSettings

pytestmark = pytest.mark.unit
KEY = "0x" + "11" * 32


def settings(**changes: Any) -> VerifierSettings:
    return settings_of(Path("folder")).model_copy(update=changes)


SETTINGS = settings(
    data=(Path("a.txt"), Path("b:c d.txt")),
    broker_url="redis://here/0",
    attempts=5,
    lease_seconds=7.5,
    device="cuda",
)


def test_a_worker_reads_what_the_service_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.to_environment().items():
        monkeypatch.setenv(name, value)
    found = WorkerSettings.of_this_process()
    assert type(found) is WorkerSettings, "it has no field for a key"
    same = (*WorkerSettings.model_fields, "queue_name", "blobs")
    expected = {name: getattr(SETTINGS, name) for name in same} | {"queue": SETTINGS.queue_name}
    assert {name: getattr(found, name) for name in same} == expected


def test_workers_get_a_variable_a_setting_and_no_key() -> None:
    variables = {name for name in SETTINGS.to_environment() if name.startswith("COMMONWEIGHT_")}
    assert variables == {f"{PREFIX}{name.upper()}" for name in WorkerSettings.model_fields}
    assert KEY[2:] not in json.dumps(SETTINGS.to_environment())
    assert KEY[2:] not in repr(SETTINGS)


def test_a_worker_with_variables_but_no_folder_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than to wait for work on a queue in its own memory."""
    monkeypatch.setenv("COMMONWEIGHT_VERIFIER_QUEUE", "verifier-1")
    with pytest.raises(MissingSetting, match="COMMONWEIGHT_VERIFIER_FOLDER: set"):
        WorkerSettings.of_this_process()


def test_the_settings_of_before_in_one_variable_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMONWEIGHT_VERIFIER", '{"folder": "f"}')
    with pytest.raises(MissingSetting, match="COMMONWEIGHT_VERIFIER is read no more"):
        WorkerSettings.of_this_process()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("broker_url", "nowhere", "is not the address of a broker"),
        ("broker_url", "carrier-pigeon://x", "no broker of the kind"),
        ("attempts", "0", "greater than or equal to 1"),
        ("lease_seconds", "inf", "finite"),
        ("data", "[1, 2]", "path"),
        ("data", '["a"', "expecting"),
    ],
)
def test_a_bad_value_is_named(field: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMONWEIGHT_VERIFIER_FOLDER", "f")
    monkeypatch.setenv(f"{PREFIX}{field.upper()}", value)
    with pytest.raises(InvalidSetting, match=words) as refusal:
        WorkerSettings.of_this_process()
    assert refusal.value.detail.startswith(f"{field} ({PREFIX}{field.upper()}) is ")


def test_two_verifiers_on_one_server_have_queues_of_their_own() -> None:
    assert SETTINGS.queue_name != settings(key="0x" + "22" * 32).queue_name
    assert SETTINGS.queue_name == settings(folder=Path("other")).queue_name


def test_the_folder_broker_moves_messages_within_its_own_folder() -> None:
    assert "TMPDIR" not in SETTINGS.to_environment()
    taken = Path(settings(broker_url="").to_environment()["TMPDIR"])
    assert taken == (Path("folder") / "queue" / "taken").resolve()


@pytest.mark.parametrize("url", ["", "-", "https://mirror.example:8443"])
def test_a_mirror_has_an_address_its_own_or_none(url: str) -> None:
    assert public_address(f" {url} ") == url
    with pytest.raises(ValueError, match="not an address"):
        public_address("mirror.example")
