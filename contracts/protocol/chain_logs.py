"""What a model's contracts logged in a range of blocks, each log checked against what was asked for.

A node's answer is a claim: a log of another address, block or model is refused, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.base_contract import BaseContractEvent
from web3.exceptions import Web3Exception
from web3.types import FilterParams

from contracts.chain import PAGE, contract_at
from contracts.deployment import Deployment
from contracts.errors import CommonweightError

REGISTRY_EVENTS = (
    "VerifierAdmitted", "VerifierRemoved", "ThresholdSet", "MaxEpochTotalSet", "Staked", "Unstaked", "Slashed",
    "Punished", "DisputeLapsed", "EpochRejected", "EpochFinalized", "NodeStakeChanged", "NodeSlashed",
)  # fmt: skip
"""Events of the VerifierRegistry that the machine follows."""
MODEL_EVENTS = ("Decision",)
"""Events of the ModelRegistry that the machine follows, of one model."""


class ChainUnfit(CommonweightError):
    """A node answered what does not fit the question, or another chain than the log's blocks are of."""

    code = "chain-unfit"
    status = 502


@dataclass(frozen=True, slots=True)
class Said:
    """One log: name and arguments of the event, and where it stands."""

    name: str
    arguments: Mapping[str, Any]
    block: int
    index: int
    block_hash: str


class Source:
    """Some events of one contract; `indexed` are the values that the first indexed arguments must have."""

    def __init__(self, w3: Web3, kind: str, address: str, names: Sequence[str], indexed: Sequence[bytes] = ()) -> None:
        contract = contract_at(w3, kind, address)
        events = [contract.events[name]() for name in names]
        self._w3, self._address = w3, str(contract.address)
        self._events: dict[bytes, BaseContractEvent] = {bytes(HexBytes(event.topic)): event for event in events}
        self._indexed = list(indexed)

    def read(self, first: int, last: int) -> Iterator[Said]:
        """All logs of these blocks, in pages. Raises ChainUnfit."""
        topics = [["0x" + topic.hex() for topic in self._events], *("0x" + value.hex() for value in self._indexed)]
        for start in range(first, last + 1, PAGE):
            end = min(last, start + PAGE - 1)
            span: Any = {"fromBlock": start, "toBlock": end}
            query = cast(FilterParams, {"address": self._address, "topics": topics, **span})
            for log in self._w3.eth.get_logs(query):
                yield self._checked(log, start, end)

    def _checked(self, log: Mapping[str, Any], first: int, last: int) -> Said:
        try:
            topics = [bytes(topic) for topic in log["topics"]]
            block, fits = int(log["blockNumber"]), log["address"] == self._address and not log.get("removed")
            if not fits or topics[1 : 1 + len(self._indexed)] != self._indexed or not first <= block <= last:
                raise ChainUnfit(f"a log of block {block} at {log['address']} was not asked for")
            event = self._events[topics[0]].process_log(cast(Any, log))
            place = int(log["logIndex"])
            return Said(event["event"], event["args"], block, place, "0x" + bytes(log["blockHash"]).hex())
        except (Web3Exception, DecodingError, LookupError, TypeError, ValueError) as error:
            raise ChainUnfit(f"a log cannot be read: {type(error).__name__}: {error}") from error


class ModelLogs:
    """All that the machine follows of one model, in the order of the chain."""

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        model = bytes.fromhex(deployment.model[2:])
        self._sources = (
            Source(w3, "VerifierRegistry", deployment.verifier_registry, REGISTRY_EVENTS),
            Source(w3, "ModelRegistry", deployment.model_registry, MODEL_EVENTS, [model]),
        )

    def read(self, first: int, last: int) -> list[Said]:
        """Every log of these blocks. Raises ChainUnfit."""
        found = sorted(
            (said for source in self._sources for said in source.read(first, last)),
            key=lambda said: (said.block, said.index),
        )
        places = [(said.block, said.index) for said in found]
        if len(set(places)) != len(places):
            raise ChainUnfit("two logs stand in one place")
        return found

    def has_any(self, first: int, last: int) -> bool:
        """Whether anything was said. Raises ChainUnfit."""
        return any(True for source in self._sources for _ in source.read(first, last))
