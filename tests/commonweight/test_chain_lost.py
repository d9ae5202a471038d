"""Every command on a chain without the model, or with somebody else's folder: one line, and nothing is changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from commonweight.commands.network import node, serve, verifier
from commonweight.commands.operator import keeper
from commonweight.keystore import write_keystore
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.process.own_folder import OWNER
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.deployed import PARAMS, deployed, key_of

pytestmark = pytest.mark.integration
RUN, WALLET = "0x" + "ab" * 32, Account.from_key(b"\3" * 32).address
COMMANDS: dict[str, tuple[str, ...]] = {
    "serve": ("serve",),
    "keeper": ("keeper",),
    "node": ("node", "--run", RUN, "--payout", WALLET),
    "verifier": ("verifier", "run", "--run", RUN),
    "stake": ("model", "stake"),
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals stay the suite's."""
    for module in (serve, keeper, node, verifier):
        monkeypatch.setattr(module, "heed_signals", lambda *_: threading.Event())


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[tuple[object, ...]]:
    """A deployment, and a chain of its number without its state."""
    write_keystore(tmp_path / "key.json", bytes(key_of("operator").key), PASSPHRASE, iterations=1)
    (tmp_path / "deployment.json").write_text(deployed(PARAMS, Devnet)[1].to_json())
    with DevnetServer(Devnet([key_of("operator").address]), "127.0.0.1", 0, 3600.0) as chain:
        yield "--deployment", tmp_path / "deployment.json", "--keystore", tmp_path / "key.json", "--rpc-url", chain.url


@pytest.mark.parametrize("name", COMMANDS)
def test_a_chain_that_was_started_empty_is_one_line(
    commonweight: Command, reached: tuple[object, ...], tmp_path: Path, name: str
) -> None:
    folder = () if name == "stake" else ("--folder", tmp_path / "folder")
    if name == "keeper":
        assert commonweight("db", "upgrade", *reached[:2], "--folder", tmp_path / "folder").status == 0
    said = commonweight(*COMMANDS[name], *reached, *folder)
    assert said.status == 1, said
    assert said.err.startswith("chain-without-contract: no contract code at 0x"), said
    assert "is this the chain of the deployment?" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", ["serve", "node", "verifier"])
def test_a_folder_of_another_model_is_one_line(
    commonweight: Command, reached: tuple[object, ...], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "folder"
    commonweight(*COMMANDS[name], *reached, "--folder", folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    place = deployed(PARAMS, Devnet)[1]
    assert json.loads(before[OWNER])["model"] == place.model
    (tmp_path / "deployment.json").write_text(replace(place, model="0x" + "77" * 32).to_json())
    said = commonweight(*COMMANDS[name], *reached, "--folder", folder)
    assert said.err.startswith(f"folder-foreign: {folder} belongs to "), said
    assert said.err.count("\n") == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_keeper_makes_no_database(commonweight: Command, reached: tuple[object, ...], tmp_path: Path) -> None:
    said = commonweight("keeper", *reached, "--folder", tmp_path / "folder")
    assert said.err.startswith("database-missing: there is no "), said
    assert not (tmp_path / "folder").exists()


def test_fsck_of_a_folder_without_a_database_makes_none(
    commonweight: Command, reached: tuple[object, ...], tmp_path: Path
) -> None:
    """It made one, and said that all holds."""
    said = commonweight("fsck", *reached[:2], *reached[4:], "--folder", tmp_path / "folder")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("database-missing: there is no "), said
    assert not (tmp_path / "folder").exists()
