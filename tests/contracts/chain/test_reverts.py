"""Whatever a stranger's contract reverts with is a refusal that can be read: it must stop no line of calls."""

from __future__ import annotations

from typing import Any, cast

import pytest
from eth_abi.abi import encode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from web3.exceptions import Web3RPCError

from contracts.chain.connection import LONGEST_REVERT, ContractRejected, connect_devnet, decode_revert, rejections

pytestmark = pytest.mark.unit

TEXT = bytes.fromhex("08c379a0")
"""Error(string)."""
BAD = {
    "no UTF-8": TEXT + encode(["bytes"], [b"\xff\xfe\x80"]),
    "a length of 2^255": TEXT + (32).to_bytes(32) + (2**255).to_bytes(32) + b"\0" * 32,
    "an offset beyond all": TEXT + (2**200).to_bytes(32),
    "cut short": TEXT + b"\0" * 31,
    "a megabyte": TEXT + encode(["string"], ["x" * 2**20]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_revert_that_is_no_text_is_unknown(kind: str) -> None:
    refusal = decode_revert(BAD[kind])
    assert (type(refusal), refusal.error) == (ContractRejected, "Unknown")
    assert len(str(refusal)) < 3 * LONGEST_REVERT


def test_a_text_is_told() -> None:
    assert "no" in decode_revert(TEXT + encode(["string"], ["no"])).detail


def test_what_no_database_keeps_is_written_out() -> None:
    """PostgreSQL refuses a zero byte: the relayer noted the refusal again and again, and nothing behind it left."""
    detail = decode_revert(TEXT + encode(["string"], ["no\0"])).detail
    assert r"no\x00" in detail
    assert "\0" not in detail
    assert ContractRejected("Unknown", {"message": "half \ud800"}).detail == r"Unknown(message=half \ud800)"


@given(st.binary(max_size=600), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_bytes_end_the_reader(data: bytes, named: bool) -> None:
    assert decode_revert((TEXT if named else b"") + data).error


class Reverting:
    """A chain on which every call reverts with these data."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def handle(self, request: Any) -> Any:
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        if request["method"] in ("eth_getCode", "eth_chainId"):
            return answer | {"result": "0x01"}
        return answer | {"error": {"code": 3, "message": "execution reverted", "data": self._data}}


PANIC, LOOKUP = (bytes.fromhex(one) for one in ("4e487b71", "556f1830"))
CALL: Any = {"to": "0x" + "11" * 20, "data": "0x12345678"}


def check_refused(data: Any) -> None:
    eth = connect_devnet(cast(Any, Reverting(data))).eth
    for ask in (eth.call, eth.estimate_gas):
        with pytest.raises(ContractRejected), rejections():
            ask(CALL)


@given(st.sampled_from([PANIC, LOOKUP, TEXT, b""]), st.binary(max_size=200))
@example(PANIC, (255).to_bytes(32))
@example(LOOKUP, b"")
@settings(max_examples=100, deadline=None)
def test_no_bytes_end_who_calls(kind: bytes, rest: bytes) -> None:
    """web3 reads panics and lookups before anybody is asked, and failed by errors of its own."""
    check_refused("0x" + (kind + rest).hex())


@pytest.mark.parametrize("data", ["0xzz", "0x123", "Reverted 0xzz", {"data": "0xzz"}, [1], 7, None])
def test_no_data_of_a_node_end_who_calls(data: Any) -> None:
    check_refused(data)


@pytest.mark.parametrize(
    "words",
    [
        "gas required exceeds allowance (30000000)",
        "Out of gas: gas required exceeds allowance: 30000000",
        "OutOfGas: Out of gas: Needed 20000 - Remaining 11173 - Reason: SSTORE",
        "Cannot estimate gas, gas spent exceeded transaction and block gas limit",
    ],
)
def test_what_no_block_has_room_for_is_refused(words: str) -> None:
    """geth, anvil, py-evm and Nethermind tell it in words alone, and it came out as trouble of the node."""
    with pytest.raises(ContractRejected, match="OutOfGas"), rejections():
        raise Web3RPCError(words)


@pytest.mark.parametrize("words", ["limit exceeded", "header not found", "insufficient funds for gas * price + value"])
def test_trouble_of_a_node_is_no_refusal(words: str) -> None:
    with pytest.raises(Web3RPCError), rejections():
        raise Web3RPCError(words)
