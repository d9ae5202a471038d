"""`commonweight receipt`: downloaded once, checked where there is no network, and on the chain if one likes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from contracts.devnet_http import DevnetServer
from tests.commonweight.conftest import Command
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Epoch 1 is final and claimed."""
    with World(tmp_path_factory.mktemp("receipt"), nodes=1) as made:
        made.start().play_round()
        made.settle_epoch()
        made.claim(made.wallets[0].address)
        yield made


@pytest.fixture
def file(world: World, commonweight: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A receipt as `receipt get` leaves it; the server is out of reach again afterwards."""

    def local(**options: Any) -> TestClient:
        return TestClient(world.app, base_url=options["base_url"], raise_server_exceptions=False)

    made, wallet = tmp_path / "mine.json", world.wallets[0].address
    with monkeypatch.context() as patched:
        patched.setattr(httpx, "Client", local)
        said = commonweight("receipt", "get", wallet, "--epoch", 1, "--out", made)
    assert (said.status, said.out.strip()) == (
        0, f"{made}: 3 log entries and 1 payouts of {wallet} in epoch 1",
    )  # fmt: skip
    return made


@pytest.fixture
def trust(world: World, tmp_path: Path) -> tuple[object, ...]:
    path = tmp_path / "deployment.json"
    path.write_text(world.place.deployment.to_json())
    return ("--deployment", path, "--operator", world.operator.address)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("offline")
def test_it_is_checked_without_a_network(commonweight: Command, file: Path, trust: tuple[object, ...]) -> None:
    said = commonweight("receipt", "verify", file, *trust)
    assert said.status == 0, said.err
    assert "holds        payout: 1000 units" in said.out
    assert "not checked  that the signers are verifiers, and the chain has this root" in said.out


@pytest.mark.usefixtures("offline")
def test_without_addresses_to_trust_it_says_what_that_leaves_open(commonweight: Command, file: Path) -> None:
    found = json.loads(commonweight("receipt", "verify", file, "--json").out)
    assert len(found["unchecked"]) == 4
    assert not any("contracts" in line for line in found["holds"])


def test_the_chain_is_asked_where_one_is_named(
    world: World, commonweight: Command, file: Path, trust: tuple[object, ...]
) -> None:
    with DevnetServer(world.place.chain, "127.0.0.1", 0, 60.0) as served:
        said = commonweight("receipt", "verify", file, *trust, "--rpc-url", served.url)
    assert said.status == 0, said.err
    assert "chain: epoch 1 is final there" in said.out
    assert "are paid" in said.out
    assert said.out.count("not checked") == 1


def test_a_changed_receipt_is_refused_with_its_code(
    commonweight: Command, file: Path, trust: tuple[object, ...]
) -> None:
    body = json.loads(file.read_text())
    body["payouts"][0]["amount"] = "1001"
    file.write_text(json.dumps(body))
    said = commonweight("receipt", "verify", file, *trust)
    assert (said.status, said.err.split(":")[0]) == (1, "receipt-payout-unproven")
    file.write_text("not a receipt")
    said = commonweight("receipt", "verify", file, *trust)
    assert (said.status, said.err.split(":")[0]) == (1, "receipt-malformed")


def test_another_operator_is_not_the_one_who_signed(world: World, commonweight: Command, file: Path) -> None:
    said = commonweight("receipt", "verify", file, "--operator", world.stranger.address)
    assert (said.status, said.err.split(":")[0]) == (1, "receipt-head-unsigned")
    assert "is not an address" in commonweight("receipt", "verify", file, "--operator", "0x12").err
