"""No test of this folder cuts the power, so none waits for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier.duty.honest import Honest
from verifier.mirror.store import database


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """One honest node's round, trained once."""
    return Honest.train(Path(tmp_path_factory.mktemp("honest")))
