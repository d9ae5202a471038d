"""Where it is remembered that a genesis was checked, and what happens where nothing can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commonweight.model import known_model
from commonweight.model.known_model import HOME_VARIABLE, home
from contracts.chain.connection import connect_devnet
from contracts.devnet.chain import Devnet
from contracts.genesis import remembered
from tests.deployed import PARAMS, deployed

pytestmark = pytest.mark.unit


def test_without_home_and_name_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was, in a folder named ~ wherever the command ran."""
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", _nobody)
    monkeypatch.chdir(tmp_path)
    assert home() is None
    chain, deployment = deployed(PARAMS, Devnet)
    assert known_model.checked(connect_devnet(chain), deployment) == deployment
    assert list(tmp_path.iterdir()) == []


def test_a_given_folder_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert home() == tmp_path


def test_a_folder_that_takes_no_file_has_it_checked_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, deployment = deployed(PARAMS, Devnet)
    looked: list[Any] = []
    check: Any = remembered.check_genesis  # type: ignore[attr-defined]
    monkeypatch.setattr(remembered, "check_genesis", lambda w3, d: (looked.append(d), check(w3, d)))  # type: ignore[func-returns-value]
    (tmp_path / "file").write_text("no folder")
    for _ in range(2):
        remembered.check_once(connect_devnet(chain), deployment, tmp_path / "file" / "below")
    assert len(looked) == 2


def _nobody(number: int) -> object:
    raise KeyError(number)
