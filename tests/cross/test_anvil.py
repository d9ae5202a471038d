"""The chain part of the demo on anvil: funded keys, a deployment, stakes, and a genesis without an owner."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from web3 import Web3

from commonweight.demo.acts.opening import open_chain, stakes
from commonweight.demo.cast import PASSPHRASE, VERIFIERS
from commonweight.demo.funding import GIFT, ensure_funded
from commonweight.demo.live import DemoBoard
from commonweight.demo.narrator import Narrator
from commonweight.demo.processes import Processes, free_port
from commonweight.demo.stage import DemoSettings, DemoStage
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.genesis.check import check_genesis
from contracts.genesis.params import GenesisParams
from contracts.ids import as_address
from contracts.process.spawner import die_with_parent
from tests.cross.node import FOLDER

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[str]:
    """Address of an anvil that mines every second; ended with its wrapper's whole group."""
    port = free_port()
    command: list[str | Path] = [
        FOLDER / "node_modules" / ".bin" / "anvil",
        "--port",
        str(port),
        "--block-time",
        "1",
        "--slots-in-an-epoch",
        "1",
        "--silent",
    ]
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=partial(die_with_parent, os.getpid()))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def stage(anvil: str, tmp_path: Path) -> Iterator[DemoStage]:
    console = Console(quiet=True)
    with Processes(tmp_path / "logs", PASSPHRASE) as processes:
        settings = DemoSettings(7, (), tmp_path, anvil)
        yield DemoStage(settings, processes, Narrator(console, silent=True), DemoBoard(console, wanted=False))


def test_the_demo_opens_on_a_chain_that_it_did_not_start(stage: DemoStage) -> None:
    stage.cast.prepare()
    open_chain(stage)
    stage.commands(stakes(stage))
    w3, deployment = connect(stage.rpc), Deployment.from_json(stage.deployment.read_text())
    assert deployment.chain_id == 31337
    check_genesis(w3, deployment)
    registry = VerifierRegistry(w3, deployment.verifier_registry)
    addresses = [stage.cast.address(name) for name in VERIFIERS]
    assert registry.verifiers() == addresses
    assert {registry.stake_of(as_address(address)) for address in addresses} == {GenesisParams().min_stake}


def test_only_who_lacks_coins_is_given_some(anvil: str, stage: DemoStage) -> None:
    stage.wait("anvil", lambda: connect(anvil).is_connected(), seconds=30)
    w3 = connect(anvil)
    rich, poor = w3.eth.accounts[0], Web3.to_checksum_address("0x" + "12" * 20)
    before = w3.eth.get_balance(rich)
    assert ensure_funded(w3, {rich: 10**18, poor: 10**18}) == [poor]
    assert (w3.eth.get_balance(rich), w3.eth.get_balance(poor)) == (before, GIFT)
