"""The form of a chain node's answers: an answer of another form ends here, in a sentence, and not in a parser.

Blocks, transactions and receipts are cut to the fields that are used, so that networks may add what they like: seals
of 97 bytes, types and fields of their own. Logs are looked at where they are read (contracts/evm/log_ranges.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from web3.types import RPCResponse

from contracts.evm.chain_text import storable
from contracts.evm.errors import ChainUnfit, NoJsonRpc

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_LARGEST_NUMBER = 2**64
"""Above numbers and times of blocks."""
SHOWN = 60
"""Characters of an odd answer that are told."""


def as_answer(body: Any) -> RPCResponse:
    """An answer of JSON-RPC 2.0, with a result or an error; nodes that send both, one of them null, are understood.

    Raises NoJsonRpc.
    """
    if not isinstance(body, dict) or not {"result", "error"} & body.keys():
        raise NoJsonRpc("the answer is no JSON-RPC: is this address a chain node's?")
    error = body.get("error")
    envelope = {"jsonrpc": "2.0", "id": body["id"] if type(body.get("id")) is int else 0}
    if error is None and "result" in body:
        return cast(RPCResponse, {**envelope, "result": body["result"]})
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or type(error.get("code")) is not int:
        raise NoJsonRpc("the answer holds an error without code and message")
    return cast(RPCResponse, {**envelope, "error": error})


def as_result(method: str, answer: RPCResponse) -> RPCResponse:
    """The same answer, with the used fields of blocks, transactions and receipts alone. Raises ChainUnfit for a result
    that the method does not have."""
    reader = _READERS.get(method)
    if reader is None or "result" not in answer:
        return answer
    result = answer["result"]
    try:
        return cast(RPCResponse, {**answer, "result": reader(result)})
    except _Odd as error:
        raise ChainUnfit(storable(f"the chain node answers {method} with {str(result)[:SHOWN]!r}")) from error


class _Odd(Exception):
    """A value of another form."""


Reader = Callable[[Any], Any]


def _like(pattern: re.Pattern[str], below: int | None = None) -> Reader:
    """Text of that form; `below` bounds its number."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or pattern.fullmatch(value) is None or (below and int(value, 16) >= below):
            raise _Odd
        return value

    return read


def _maybe(reader: Reader) -> Reader:
    """The same, or null."""
    return lambda value: None if value is None else reader(value)


def _each(reader: Reader) -> Reader:
    """A list of such values."""

    def all_of(value: Any) -> Any:
        if not isinstance(value, list):
            raise _Odd
        return [reader(element) for element in value]

    return all_of


def _of(fields: Mapping[str, Reader], optional: Mapping[str, Reader]) -> Reader:
    """An object of these fields, or nothing; others fall away, and so do optional ones that are null."""

    def read(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _Odd
        result = {name: check(value.get(name)) for name, check in fields.items()}
        extra = {name: check(value[name]) for name, check in optional.items() if value.get(name) is not None}
        return {**result, **extra}

    return read


def _as_it_is(value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Odd
    return value


_quantity = _like(_QUANTITY)
_data = _like(_DATA)
_hash = _like(_HASH)
_number = _like(_QUANTITY, _LARGEST_NUMBER)
_address = _like(_ADDRESS)
_place = {"to": _address, "blockNumber": _number, "blockHash": _hash, "gasPrice": _quantity, "type": _number}
_transaction = _of({"hash": _hash, "from": _address, "nonce": _number, "input": _data}, _place)
_foreign = _of({"hash": _hash, "from": _address}, {"nonce": _number, **_place})


def _sent(value: Any) -> Any:
    """A transaction of a block, which may be a network's own without a nonce, or its hash."""
    return _hash(value) if isinstance(value, str) else _foreign(_as_it_is(value))


_READERS: dict[str, Reader] = {
    **dict.fromkeys(("eth_blockNumber", "eth_chainId", "eth_getTransactionCount"), _number),
    **dict.fromkeys(("eth_gasPrice", "eth_getBalance", "eth_estimateGas", "eth_maxPriorityFeePerGas"), _quantity),
    **dict.fromkeys(("eth_call", "eth_getCode"), _data),
    **dict.fromkeys(
        ("eth_getBlockByNumber", "eth_getBlockByHash"),
        _of(
            {"number": _number, "timestamp": _number, "hash": _hash, "parentHash": _hash},
            {"baseFeePerGas": _quantity, "gasUsed": _quantity, "transactions": _each(_sent)},
        ),
    ),
    "eth_sendRawTransaction": _hash,
    "eth_getTransactionByHash": _transaction,
    "eth_getTransactionReceipt": _of(
        {"blockNumber": _number, "blockHash": _hash, "transactionHash": _hash, "status": _number},
        {"contractAddress": _address, "gasUsed": _quantity, "logs": _each(_as_it_is)},
    ),
}
