"""A table decodes a log as web3 does, to the value and to the refusal, for every event of every contract."""

from __future__ import annotations

import random
from functools import cache
from typing import Any, cast

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import Web3Exception

from contracts.chain.connection import ARTIFACTS, connect, contract_at, load_artifact
from contracts.chain.event_table import EventTable
from contracts.evm.errors import ChainUnfit
from contracts.ids import as_address

pytestmark = pytest.mark.unit

ADDRESS = as_address("0x" + "11" * 20)
W3: Web3 = connect("http://127.0.0.1:9")
EVENTS = sorted(
    {
        (path.stem, entry["name"])
        for path in ARTIFACTS.glob("*.json")
        for entry in load_artifact(path.stem)["abi"]
        if entry["type"] == "event"
    }
)
_REFUSALS = (Web3Exception, DecodingError, LookupError, OverflowError, TypeError, ValueError)


@cache
def event(contract: str, name: str) -> Any:
    return contract_at(W3, contract, ADDRESS).events[name]()


@cache
def table(contract: str, name: str) -> EventTable:
    return EventTable(contract_at(W3, contract, ADDRESS), [name])


def value(kind: str, draw: random.Random) -> Any:
    if kind.endswith("[]"):
        return [value(kind[:-2], draw) for _ in range(draw.randrange(4))]
    if kind.startswith("uint"):
        return draw.randrange(2 ** draw.randrange(1, int(kind[4:] or 256) + 1))
    if kind.startswith("bytes") and kind != "bytes":
        return draw.randbytes(int(kind[5:]))
    kinds = {"address": draw.randbytes(20), "bool": draw.random() < 0.5, "bytes": draw.randbytes(draw.randrange(70))}
    return kinds.get(kind, "Wörter " * draw.randrange(9))


def log_of(contract: str, name: str, draw: random.Random) -> dict[str, Any]:
    entry = next(e for e in load_artifact(contract)["abi"] if e["type"] == "event" and e["name"] == name)
    topics = [bytes.fromhex(event(contract, name).topic[2:])]
    rest = [one["type"] for one in entry["inputs"] if not one["indexed"]]
    topics += [encode([one["type"]], [value(one["type"], draw)]) for one in entry["inputs"] if one["indexed"]]
    data = encode(rest, [value(kind, draw) for kind in rest]).replace(b"W\xc3\xb6", b"\xff\x00\xc3")  # any bytes
    return {
        "address": ADDRESS,
        "topics": [HexBytes(topic) for topic in topics],
        "data": HexBytes(data),
        "blockNumber": draw.randrange(10**6),
        "logIndex": draw.randrange(99),
        "transactionIndex": draw.randrange(99),
        "blockHash": HexBytes(draw.randbytes(32)),
        "transactionHash": HexBytes(draw.randbytes(32)),
    }


def spoilt(log: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The same log with another length, another byte, or fewer or more topics."""
    topics, data = [bytearray(topic) for topic in log["topics"]], bytearray(log["data"])
    where = draw.choice([data, *topics]) if data else draw.choice(topics)
    match draw.randrange(6):
        case 0:
            del data[draw.randrange(len(data) + 1) :]
        case 1:
            data += draw.randbytes(draw.randrange(1, 40))
        case 2:
            where[draw.randrange(len(where))] ^= 1 << draw.randrange(8)
        case 3:
            topics = topics[: draw.randrange(len(topics))]
        case 4:
            topics.append(bytearray(draw.randbytes(32)))
        case 5 if len(data) >= 32:
            place = 32 * draw.randrange(len(data) // 32)
            data[place : place + 32] = b"\xff" * 32
    return {**log, "topics": [HexBytes(bytes(topic)) for topic in topics], "data": HexBytes(bytes(data))}


def web3s(contract: str, name: str, log: Any) -> dict[str, Any] | None:
    try:
        return cast(dict[str, Any], event(contract, name).process_log(log))
    except _REFUSALS:
        return None


def ours(contract: str, name: str, log: Any) -> dict[str, Any] | None:
    try:
        return cast(dict[str, Any], table(contract, name).decode(log))
    except ChainUnfit:
        return None


@pytest.mark.parametrize(("contract", "name"), EVENTS)
def test_a_log_is_what_web3_makes_of_it(contract: str, name: str) -> None:
    draw = random.Random(f"{contract} {name}")
    for _ in range(5):
        log = log_of(contract, name, draw)
        found, expected = ours(contract, name, log), web3s(contract, name, log)
        assert found is not None
        assert expected is not None
        assert found == expected
        assert list(found["args"]) == list(expected["args"])


def test_a_spoilt_log_is_decoded_as_by_web3_or_refused_by_both() -> None:
    draw, refused = random.Random(7), 0
    for _ in range(1_000):
        contract, name = draw.choice(EVENTS)
        log = spoilt(log_of(contract, name, draw), draw)
        found = ours(contract, name, log)
        assert found == web3s(contract, name, log), (contract, name, log)
        refused += found is None
    assert 250 < refused < 950


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_topic_of_another_length_is_refused(length: int) -> None:
    log = log_of("ModelToken", "Transfer", random.Random(1))
    log["topics"][1] = HexBytes(bytes(length))
    assert ours("ModelToken", "Transfer", log) is None


def test_an_anonymous_log_has_no_name() -> None:
    table = EventTable(contract_at(W3, "ModelToken", ADDRESS), ["Transfer"])
    log: Any = log_of("ModelToken", "Transfer", random.Random(1))
    assert table.name_of(log) == "Transfer"
    assert table.name_of(cast(Any, {**log, "topics": []})) is None
    assert table.name_of(cast(Any, {**log, "topics": [HexBytes(bytes(32))]})) is None
    with pytest.raises(KeyError, match="Nothing"):
        EventTable(contract_at(W3, "ModelToken", ADDRESS), ["Nothing"])
