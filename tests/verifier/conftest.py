"""Settings of a verifier whose queue is a folder, and one honest node's round.

No test of this folder cuts the power, so none waits for the disk: what a kill leaves is the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.chain.deployment import Deployment
from contracts.ids import RunId, as_address
from tests.verifier.honest import Honest
from verifier.mirror.store import database
from verifier.settings import VerifierSettings

_NOBODY = as_address("0x" + "cd" * 20)
NOWHERE = Deployment(
    1, 0, "m", "0x" + "00" * 32, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY
)


def settings_of(folder: Path) -> VerifierSettings:
    """Of the key 0x11…, quick to try again."""
    return VerifierSettings(
        api_url="http://api",
        rpc_url="http://rpc",
        deployment=NOWHERE,
        run=RunId("0x00"),
        key="0x" + "11" * 32,
        folder=folder,
        attempts=2,
        backoff_seconds=0.0,
    )


@pytest.fixture
def settings(tmp_path: Path) -> VerifierSettings:
    return settings_of(tmp_path)


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """One honest node's round, trained once."""
    return Honest.train(Path(tmp_path_factory.mktemp("honest")))
