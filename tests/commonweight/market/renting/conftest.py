"""Journals whose disk need not survive a loss of power."""

from __future__ import annotations

import pytest

from verifier.mirror.store import database


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")
