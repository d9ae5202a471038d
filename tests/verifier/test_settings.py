from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from verifier.settings import VerifierSettings

pytestmark = pytest.mark.unit
SETTINGS = VerifierSettings(
    "http://api", "http://rpc", "0xrun", "0x" + "11" * 32, Path("folder"), (Path("a.txt"),), "redis://here/0",
    attempts=5, lease_seconds=7.5,
)  # fmt: skip


def test_a_worker_reads_what_the_service_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.to_environment().items():
        monkeypatch.setenv(name, value)
    assert VerifierSettings.from_environment() == SETTINGS


def test_the_key_is_not_shown() -> None:
    assert "11" * 32 not in repr(SETTINGS)


def test_two_verifiers_on_one_server_have_queues_of_their_own() -> None:
    assert SETTINGS.queue_name != replace(SETTINGS, key="0x" + "22" * 32).queue_name
    assert SETTINGS.queue_name == replace(SETTINGS, folder=Path("other")).queue_name


def test_the_folder_broker_moves_messages_within_its_own_folder() -> None:
    assert "TMPDIR" not in SETTINGS.to_environment()
    taken = Path(replace(SETTINGS, broker_url="").to_environment()["TMPDIR"])
    assert taken == (Path("folder") / "queue" / "taken").resolve()
