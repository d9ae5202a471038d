"""The logs of a model's contracts in a range of blocks, each checked against the query.

A node's answer is a claim: a log of another address, block or model is refused, never left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_table import EventTable
from contracts.evm.errors import ChainUnfit
from contracts.evm.log_ranges import Wanted, logs
from contracts.ids import Address, from_hex, to_hex

REGISTRY_EVENTS = (
    "VerifierAdmitted",
    "VerifierRemoved",
    "ThresholdSet",
    "MaxEpochTotalSet",
    "Staked",
    "Unstaked",
    "Slashed",
    "Punished",
    "DisputeLapsed",
    "EpochRejected",
    "EpochFinalized",
    "NodeStakeChanged",
    "NodeSlashed",
)
"""Events of the VerifierRegistry that the machine follows."""
MODEL_EVENTS = ("Decision",)
"""Events of the ModelRegistry that the machine follows, of one model."""


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """One log: name and arguments of the event, and where it stands."""

    name: str
    arguments: Mapping[str, Any]
    block: int
    index: int
    block_hash: str


class EventFilter:
    """Some events of one contract; `indexed` are the values that the first indexed arguments must have."""

    def __init__(
        self, w3: Web3, kind: str, address: Address, names: Sequence[str], indexed: Sequence[bytes] = ()
    ) -> None:
        contract = contract_at(w3, kind, address)
        self._w3, self._table, self._indexed = w3, EventTable(contract, names), list(indexed)
        topics: tuple[str | list[str], ...] = (self._table.hexes(), *(to_hex(value) for value in indexed))
        self._wanted = Wanted((contract.address,), topics)

    def read(self, first: int, last: int) -> Iterator[DecodedLog]:
        """All logs of these blocks, in the order of the chain. Raises ChainUnfit and LogsRefused."""
        for log in logs(self._w3, self._wanted, first, last):
            if [bytes(topic) for topic in log["topics"][1 : 1 + len(self._indexed)]] != self._indexed:
                raise ChainUnfit(f"a log of block {log['blockNumber']} at {log['address']} was not asked for")
            event = self._table.decode(log)
            block_hash = to_hex(event["blockHash"])
            yield DecodedLog(event["event"], event["args"], event["blockNumber"], event["logIndex"], block_hash)


class ModelLogs:
    """All that the machine follows of one model, in the order of the chain."""

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        model = from_hex(deployment.model)
        self._sources = (
            EventFilter(w3, "VerifierRegistry", deployment.verifier_registry, REGISTRY_EVENTS),
            EventFilter(w3, "ModelRegistry", deployment.model_registry, MODEL_EVENTS, [model]),
        )

    def read(self, first: int, last: int) -> Iterator[DecodedLog]:
        """Every log of these blocks. Raises ChainUnfit and LogsRefused."""
        streams = (source.read(first, last) for source in self._sources)
        previous: tuple[int, int] | None = None
        for event in heapq.merge(*streams, key=lambda event: (event.block, event.index)):
            if (event.block, event.index) == previous:
                raise ChainUnfit("two logs stand in one place")
            previous = event.block, event.index
            yield event

    def has_any(self, first: int, last: int) -> bool:
        """Whether these blocks have any log. Raises ChainUnfit and LogsRefused."""
        return any(True for source in self._sources for _ in source.read(first, last))
