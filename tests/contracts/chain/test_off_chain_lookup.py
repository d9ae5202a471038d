"""A contract that answers with an off-chain lookup (EIP-3668) cannot make this process call a server of its choice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import web3.eth.eth
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak
from web3 import Web3

from contracts.chain.connection import connect, connect_devnet
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer

pytestmark = pytest.mark.integration
URL = "https://example.invalid/{sender}/{data}"


def bait(chain: Devnet, account: Any) -> str:
    """A contract that reverts every call with an OffchainLookup of its own."""
    address = "0x" + keccak(bytes.fromhex("d694" + account.address[2:] + "80"))[-20:].hex()  # RLP of (sender, nonce 0)
    types = ["address", "string[]", "bytes", "bytes4", "bytes"]
    answer = keccak(text="OffchainLookup(address,string[],bytes,bytes4,bytes)")[:4]
    answer += encode(types, [address, [URL], b"ask", bytes(4), b""])
    runtime = copied(answer, "fd") + answer  # REVERT with it
    w3 = connect_devnet(chain)
    deployment = {"nonce": 0, "gas": 2_000_000, "gasPrice": w3.eth.gas_price, "chainId": w3.eth.chain_id, "value": 0}
    signed = account.sign_transaction({**deployment, "data": copied(runtime, "f3") + runtime})  # RETURN as code
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))
    assert str(receipt["contractAddress"]).lower() == address
    return str(receipt["contractAddress"])


def copied(tail: bytes, end: str) -> bytes:
    """14 bytes of code: copy what follows them to memory, and end with it."""
    push = "61" + len(tail).to_bytes(2).hex()
    return bytes.fromhex(f"{push}600e600039{push}6000{end}")


@pytest.mark.parametrize(("followed", "asked"), [(None, 0), (True, 1)], ids=["as we connect", "where it is allowed"])
def test_nobody_is_asked_for_a_contract(monkeypatch: pytest.MonkeyPatch, followed: bool | None, asked: int) -> None:
    """The second case shows that the first one can fail."""
    lookups: list[Any] = []
    monkeypatch.setattr(web3.eth.eth, "handle_offchain_lookup", lambda *given, **_: lookups.append(given) or b"")  # type: ignore[func-returns-value]
    account = Account.create()
    chain = Devnet([account.address])
    contract = bait(chain, account)
    with DevnetServer(chain, "127.0.0.1", 0, 60.0) as served:
        for w3 in (connect_devnet(chain), connect(served.url)):
            lookups.clear()
            if followed is not None:
                w3.provider.global_ccip_read_enabled = followed
            with suppress(Exception):  # the revert itself
                w3.eth.call({"to": Web3.to_checksum_address(contract)})
            assert bool(lookups) == bool(asked)
