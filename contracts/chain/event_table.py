"""Events of a contract by their topic, with their decoders: made once, where web3 makes them anew for every log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.contract import Contract
from web3.types import EventData, LogReceipt

from contracts.evm.errors import ChainUnfit
from contracts.ids import Address, to_hex

_UNREADABLE = (DecodingError, LookupError, OverflowError, TypeError, ValueError)
_DYNAMIC = ("string", "bytes")
"""Types of which only the hash is logged for an indexed argument. None of ours is an array or a struct."""


@dataclass(frozen=True, slots=True)
class _Arguments:
    """Some arguments of an event: those in its topics, or those in its data."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    plain: tuple[Callable[[Any], Any] | None, ...]
    """The conversion of a decoded value to that of web3: addresses in checksum, arrays as lists."""

    @classmethod
    def of(cls, inputs: Sequence[Mapping[str, Any]], is_topic: bool) -> _Arguments:
        """Raises TypeError for a type that no event of ours has."""
        types = [str(argument["type"]) for argument in inputs]
        if any(kind.startswith("tuple") or (is_topic and "[" in kind) for kind in types):
            raise TypeError(f"an event with {types} is not decoded here")
        types = ["bytes32" if is_topic and kind in _DYNAMIC else kind for kind in types]
        return cls(tuple(str(argument["name"]) for argument in inputs), tuple(types), tuple(map(_plain, types)))

    def decode(self, codec: ABICodec, data: bytes) -> list[tuple[str, Any]]:
        """Names and values."""
        values = codec.decode(self.types, data)
        return [
            (name, value if plain is None else plain(value))
            for name, plain, value in zip(self.names, self.plain, values, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    indexed: _Arguments
    rest: _Arguments


class EventTable:
    """Some events of a contract, or all of them without `names`. `topics` names each by its topic."""

    def __init__(self, contract: Contract | type[Contract], names: Sequence[str] | None = None) -> None:
        self._codec: ABICodec = contract.w3.codec
        entries: list[Any] = [e for e in contract.abi if e["type"] == "event" and (names is None or e["name"] in names)]
        self._events = {_topic(entry): _event(entry) for entry in entries}
        self.topics = {topic: event.name for topic, event in self._events.items()}
        if names is not None and set(self.topics.values()) != set(names):
            raise KeyError(f"the contract has no {sorted(set(names) - set(self.topics.values()))}")

    def hexes(self) -> list[str]:
        """The topics as eth_getLogs takes them."""
        return [to_hex(topic) for topic in self._events]

    def name_of(self, log: LogReceipt) -> str | None:
        """The name of a log's event; None for an anonymous one, and one that is not in the table."""
        return self.topics.get(bytes(log["topics"][0])) if log["topics"] else None

    def decode(self, log: LogReceipt) -> EventData:
        """As web3's `process_log`. Raises ChainUnfit for a log of another event, and for one whose data are not its."""
        try:
            topics = [bytes(topic) for topic in log["topics"]]
            event = self._events[topics[0]]
            if len(topics) - 1 != len(event.indexed.names) or any(len(topic) != 32 for topic in topics):
                raise ValueError(f"{len(topics)} topics of {event.name}")
            arguments = event.indexed.decode(self._codec, b"".join(topics[1:]))
            arguments += event.rest.decode(self._codec, bytes(log["data"]))
            return EventData(
                address=log["address"],
                args=dict(arguments),
                blockHash=log["blockHash"],
                blockNumber=log["blockNumber"],
                event=event.name,
                logIndex=log["logIndex"],
                transactionHash=log["transactionHash"],
                transactionIndex=log["transactionIndex"],
            )
        except _UNREADABLE as error:
            raise ChainUnfit(f"a log cannot be read: {type(error).__name__}: {error}") from error


def _topic(entry: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(argument['type'] for argument in entry['inputs'])})")


def _event(entry: Mapping[str, Any]) -> _Event:
    inputs = entry["inputs"]
    indexed = _Arguments.of([part for part in inputs if part["indexed"]], is_topic=True)
    rest = _Arguments.of([part for part in inputs if not part["indexed"]], is_topic=False)
    return _Event(str(entry["name"]), indexed, rest)


def _plain(kind: str) -> Callable[[Any], Any] | None:
    if kind == "address":
        return _checksummed
    if "[" not in kind:
        return None
    inner = _plain(kind[: kind.rindex("[")])
    return list if inner is None else lambda values: [inner(value) for value in values]


@lru_cache(maxsize=4096)
def _checksummed(address: Address) -> str:
    """A hash each: few addresses say most."""
    return to_checksum_address(address)
