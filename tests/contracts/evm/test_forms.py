"""Answers of another form: a sentence, and nothing that a parser stumbled over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from contracts.chain.connection import through
from contracts.errors import CommonweightError
from contracts.evm.errors import ChainUnavailable, ChainUnfit
from contracts.evm.fees import market
from contracts.evm.forms import as_answer
from contracts.evm.http import OneNode
from contracts.evm.nodes import ChainNodes
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

HASH, ADDRESS = "0x" + "ab" * 32, "0x" + "11" * 20
BLOCK = {"number": "0x1", "timestamp": "0x2", "hash": HASH, "parentHash": HASH, "transactions": []}
RECEIPT = {"blockNumber": "0x1", "blockHash": HASH, "transactionHash": HASH, "logs": [], "status": "0x1"}
SENT = {"hash": HASH, "from": ADDRESS, "nonce": "0x1", "input": "0x"}


class Saying(OneNode):
    """It answers every request with these bodies, by method."""

    def __init__(self, **bodies: Any) -> None:
        super().__init__("http://127.0.0.1:9", 1.0)
        self._bodies = bodies

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return as_answer(self._bodies[method])


def saying(**results: Any) -> Web3:
    """A connection to it; each method has a result."""
    bodies = {method: {"jsonrpc": "2.0", "id": 0, "result": result} for method, result in results.items()}
    return through(ChainNodes([Saying(**bodies)], patience=0.0))


ASKS: dict[str, Callable[[Web3], Any]] = {
    "eth_blockNumber": lambda w3: w3.eth.block_number,
    "eth_chainId": lambda w3: w3.eth.chain_id,
    "eth_gasPrice": lambda w3: w3.eth.gas_price,
    "eth_getBalance": lambda w3: w3.eth.get_balance(Web3.to_checksum_address(ADDRESS)),
    "eth_getTransactionCount": lambda w3: w3.eth.get_transaction_count(Web3.to_checksum_address(ADDRESS)),
    "eth_getCode": lambda w3: w3.eth.get_code(Web3.to_checksum_address(ADDRESS)),
    "eth_getBlockByNumber": lambda w3: w3.eth.get_block("finalized"),
    "eth_getBlockByHash": lambda w3: w3.eth.get_block(HASH),  # type: ignore[arg-type]
    "eth_getTransactionReceipt": lambda w3: w3.eth.get_transaction_receipt(HASH),  # type: ignore[arg-type]
    "eth_getTransactionByHash": lambda w3: w3.eth.get_transaction(HASH),  # type: ignore[arg-type]
    "eth_sendRawTransaction": lambda w3: w3.eth.send_raw_transaction("0x00"),  # type: ignore[arg-type]
}
ODD: dict[str, tuple[str, Any]] = {
    "a number below nothing": ("eth_blockNumber", "-0x1"),
    "a number in decimals": ("eth_blockNumber", "12"),
    "a number as such": ("eth_blockNumber", 12),
    "no digits": ("eth_gasPrice", "0x"),
    "a number without end": ("eth_getBalance", "0x" + "f" * 65),
    "no number": ("eth_chainId", None),
    "half a byte": ("eth_getCode", "0x1"),
    "a page": ("eth_getCode", "<html>"),
    "a block without a time": ("eth_getBlockByNumber", {**BLOCK, "timestamp": None}),
    "a block of a negative number": ("eth_getBlockByNumber", {**BLOCK, "number": "-0x1"}),
    "a block beyond all numbers": ("eth_getBlockByHash", {**BLOCK, "number": hex(2**64)}),
    "a short hash": ("eth_getBlockByNumber", {**BLOCK, "hash": "0xab"}),
    "a list for a block": ("eth_getBlockByNumber", [BLOCK]),
    "a base fee in words": ("eth_getBlockByNumber", {**BLOCK, "baseFeePerGas": "cheap"}),
    "a receipt of no block": ("eth_getTransactionReceipt", {**RECEIPT, "blockHash": None}),
    "a sender in words": ("eth_getTransactionByHash", {**SENT, "from": "me"}),
    "a word among transactions": ("eth_getBlockByNumber", {**BLOCK, "transactions": ["none"]}),
    "a status in words": ("eth_getTransactionReceipt", {**RECEIPT, "status": "fine"}),
    "no hash of what was sent": ("eth_sendRawTransaction", "thanks"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_of_another_form_is_named(name: str) -> None:
    method, result = ODD[name]
    with pytest.raises(ChainUnfit, match=f"the chain node answers {method} with "):
        ASKS[method](saying(**{method: result}))


def test_answers_of_the_right_form_are_taken() -> None:
    assert saying(eth_blockNumber="0x0010").eth.block_number == 16
    assert saying(eth_getBlockByNumber=BLOCK).eth.get_block("finalized")["timestamp"] == 2
    assert saying(eth_getTransactionReceipt=RECEIPT).eth.get_transaction_receipt(HASH)["blockNumber"] == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [{"result": "0x1", "error": None}, {"jsonrpc": "1.0", "id": None, "result": "0x1"}, {"id": "7", "result": "0x1"}],
)
def test_envelopes_of_old_nodes_are_understood(body: Any) -> None:
    assert through(ChainNodes([Saying(eth_blockNumber=body)])).eth.block_number == 1


@pytest.mark.parametrize(
    "body", [{"error": "busy"}, {"error": {"message": "no code"}}, {"error": {"code": 1}}, {"error": None}, [], None, 7]
)
def test_an_envelope_of_nobody_is_weather(body: Any) -> None:
    with pytest.raises(ChainUnavailable):
        through(ChainNodes([Saying(eth_blockNumber=body)], patience=0.0)).eth.block_number  # noqa: B018


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0x1", HASH, ADDRESS, "0x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from([*BLOCK, *RECEIPT, "extraData"]), inner, max_size=5)
    ),
    max_leaves=10,
)


@holds(
    "A malformed answer of a chain node has no effect, and extra fields change nothing",
    by="contracts/evm/forms.py:as_result",
    against=Threat.BAD_CHAIN,
)
@given(st.sampled_from(sorted(ASKS)), JSON)
def test_no_answer_at_all_breaks_a_parser(method: str, result: Any) -> None:
    try:
        ASKS[method](saying(**{method: result}))
    except (CommonweightError, RequestException, Web3Exception):
        return


WHOLE: dict[str, dict[str, Any]] = {
    "eth_getBlockByNumber": {**BLOCK, "baseFeePerGas": "0x7"},
    "eth_getTransactionReceipt": RECEIPT,
    "eth_getTransactionByHash": SENT,
}
KNOWN = (
    "extraData",
    "logsBloom",
    "gasUsed",
    "gasLimit",
    "uncles",
    "withdrawals",
    "nonce",
    "difficulty",
    "size",
    "mixHash",
    "totalDifficulty",
    "blobGasUsed",
    "excessBlobGas",
    "type",
    "effectiveGasPrice",
    "contractAddress",
    "from",
    "to",
    "cumulativeGasUsed",
    "transactionHash",
    "transactionIndex",
    "miner",
    "sha3Uncles",
    "receiptsRoot",
    "requestsHash",
)


@given(
    st.sampled_from(sorted(WHOLE)),
    st.dictionaries(st.sampled_from(KNOWN) | st.text(), JSON),
)
def test_what_networks_add_breaks_none_either(method: str, added: dict[str, Any]) -> None:
    used = ("contractAddress", "gasUsed", "type", "to", "gasPrice", "blockNumber", "blockHash")
    foreign = {name: value for name, value in added.items() if name not in used}
    ASKS[method](saying(**{method: {**foreign, **WHOLE[method]}}))


def test_a_tip_of_another_form_is_named() -> None:
    with pytest.raises(ChainUnfit, match="eth_maxPriorityFeePerGas"):
        market(saying(eth_getBlockByNumber={**BLOCK, "baseFeePerGas": "0x7"}, eth_maxPriorityFeePerGas="-0x5"))
