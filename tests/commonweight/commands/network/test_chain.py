"""Coins and test money on the embedded chain, for keys that were made after it began; on no other chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from commonweight.keystore import write_keystore
from contracts.bindings.currency import Currency
from contracts.chain.connection import connect
from contracts.devnet.chain import Devnet
from contracts.devnet.currency import compiling
from contracts.devnet.http import DevnetServer
from tests.commonweight.conftest import PASSPHRASE, Command

pytestmark = pytest.mark.integration
LATER = Account.from_key(bytes([7]) * 32)


class OtherNode(Devnet):
    """Answers as another program does, and would give coins away."""

    def _method_table(self) -> dict[str, Any]:
        return super()._method_table() | {"web3_clientVersion": lambda: "anvil/v1.4.0"}


@pytest.fixture
def node() -> Iterator[DevnetServer]:
    with DevnetServer(Devnet(), "127.0.0.1", 0, 60.0) as served:
        yield served


def test_a_key_made_later_has_coins_and_test_money(node: DevnetServer, commonweight: Command, tmp_path: Path) -> None:
    key, w3 = tmp_path / "later.json", connect(node.url)
    write_keystore(key, bytes(LATER.key), PASSPHRASE, iterations=1)
    said = commonweight("chain", "fund", LATER.address, "--rpc-url", node.url)
    assert said.out.startswith(f"sent 10,000 coins to {LATER.address}  0x"), said.err
    more = json.loads(commonweight("chain", "fund", LATER.address, "--coins", 5, "--rpc-url", node.url, "--json").out)
    assert w3.eth.get_transaction_receipt(more["hash"])["status"] == 1
    assert w3.eth.get_balance(LATER.address) == 10_005 * 10**18
    made = commonweight("chain", "currency", "--keystore", key, "--supply", 700, "--rpc-url", node.url, "--json")
    found = json.loads(made.out)
    money = Currency(w3, found["currency"])
    assert (money.symbol(), money.decimals(), money.balance_of(LATER.address)) == ("TEST", 2, 700)
    money.sign_permit(LATER, node.url and LATER.address, 5, 2**40)  # a deposit takes one signature


@pytest.mark.parametrize(
    "parameters",
    [[LATER.address, "0x0"], [LATER.address, hex(10_001 * 10**18)], [LATER.address, "many"], ["nobody"], [5], []],
    ids=["nothing", "too-much", "no-number", "no-address", "a-number", "nobody"],
)
def test_the_faucet_refuses_what_is_no_request(node: DevnetServer, parameters: list[object]) -> None:
    before = node.chain.rpc("eth_blockNumber", [])
    answer = node.chain.handle({"id": 1, "method": "devnet_fund", "params": parameters})
    assert "error" in answer
    assert node.chain.rpc("eth_blockNumber", []) == before


def test_no_other_chain_gives_anything_away(commonweight: Command, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    write_keystore(key, bytes(LATER.key), PASSPHRASE, iterations=1)
    with DevnetServer(OtherNode([LATER.address]), "127.0.0.1", 0, 60.0) as served:
        for command in (("fund", LATER.address), ("currency", "--keystore", key)):
            said = commonweight("chain", *command, "--rpc-url", served.url)
            assert (said.status, said.err.split(":")[0]) == (1, "not-embedded"), said.err


def test_the_compiled_test_currency_is_of_its_source() -> None:
    assert json.loads(compiling.ARTIFACT.read_text())["sourceHash"] == compiling.source_hash()
