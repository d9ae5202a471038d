"""The embedded chain, in process and over HTTP."""

from __future__ import annotations

import time

import pytest
from eth_account import Account

from contracts.chain.connection import ContractRejected, connect, connect_devnet, contract_at, load_artifact, send
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.ids import as_address

pytestmark = pytest.mark.integration


def test_over_http_clock_moves_and_reverts_carry_data() -> None:
    account = Account.create()
    with DevnetServer(Devnet([account.address]), "127.0.0.1", 0, 0.1) as server:
        w3 = connect(server.url)
        assert w3.eth.chain_id == 31337
        artifact = load_artifact("ModelToken")
        factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = send(w3, account, factory.constructor("n", "s", 10, account.address, account.address))
        token = contract_at(w3, "ModelToken", as_address(str(receipt["contractAddress"])))
        with pytest.raises(ContractRejected) as refused:
            send(w3, account, token.functions.mint(b"1" * 32, account.address, 5))
        assert refused.value.error == "ModelTokenReserveExceeded"
        assert refused.value.args_["amount"] == 5
        before = w3.eth.block_number
        time.sleep(0.35)
        assert w3.eth.block_number >= before + 2
        final = w3.eth.get_block("finalized")
        assert abs(final["timestamp"] - time.time()) <= 2
        assert w3.eth.get_block(final["hash"])["parentHash"] == w3.eth.get_block(final["number"] - 1)["hash"]


def test_many_blocks_in_a_second_do_not_run_ahead_of_the_wall() -> None:
    chain = Devnet()
    chain.mine(20)
    assert connect_devnet(chain).eth.get_block("latest")["timestamp"] <= time.time()


def test_same_bytes_twice_are_refused_and_nothing_is_mined() -> None:
    account = Account.create()
    chain = Devnet([account.address])
    w3 = connect_devnet(chain)
    signed = account.sign_transaction(
        {
            "to": account.address,
            "value": 1,
            "gas": 21_000,
            "nonce": 0,
            "chainId": 31337,
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 1,
        }
    )
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_sendRawTransaction",
        "params": [signed.raw_transaction.to_0x_hex()],
    }
    first, again = chain.handle([request, {**request, "id": 2}])
    assert first["result"] == signed.hash.to_0x_hex()
    assert "nonce too low" in again["error"]["message"]
    assert w3.eth.block_number == 1


def test_increase_time_moves_later_blocks() -> None:
    chain = Devnet()
    chain.rpc("evm_increaseTime", [3600])
    chain.rpc("evm_mine", [])
    assert connect_devnet(chain).eth.get_block("latest")["timestamp"] >= time.time() + 3598


def test_unknown_method_is_an_rpc_error() -> None:
    reply = Devnet().handle({"jsonrpc": "2.0", "id": 7, "method": "eth_none", "params": []})
    assert reply["error"]["code"] == -32601
    assert reply["id"] == 7
