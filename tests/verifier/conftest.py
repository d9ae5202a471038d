"""Settings of a verifier whose queue is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.chain.deployment import Deployment
from verifier.settings import VerifierSettings

_NOBODY = "0x" + "cd" * 20
NOWHERE = Deployment(
    1, 0, "m", "0x" + "00" * 32, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY
)


def settings_of(folder: Path) -> VerifierSettings:
    """Of the key 0x11…, quick to try again."""
    return VerifierSettings(
        "http://api", "http://rpc", NOWHERE, "0x00", "0x" + "11" * 32, folder, attempts=2, backoff_seconds=0.0
    )


@pytest.fixture
def settings(tmp_path: Path) -> VerifierSettings:
    return settings_of(tmp_path)
