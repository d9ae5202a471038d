"""`ModelRegistry`: models, their decisions and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the holders, in chain order."""

    sequence: int
    decision_id: bytes
    key: str
    value: str
    block: int


class ModelRegistry:
    """The registry at `address`, its decisions read from `first_block` on. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address, first_block: int = 0) -> None:
        self.w3 = w3
        self.address = address
        self._first = first_block
        self._contract = contract_at(w3, "ModelRegistry", address)
        self._call = self._contract.functions
        self._histories: dict[bytes, EventHistory] = {}

    def value_of(self, model: bytes, key: str) -> str:
        """The decided value, empty where none was decided."""
        return str(self._call.valueOf(model, key).call())

    def sequence_of(self, model: bytes) -> int:
        """How many decisions there are."""
        return int(self._call.sequenceOf(model).call())

    def is_served(self, model: bytes, decision_id: bytes) -> bool:
        """Whether a decision of this id (32 bytes) was made: no second one can be."""
        return bool(self._call.served(model, decision_id).call())

    def checkpoint_of(self, model: bytes, round_: int) -> bytes:
        """32-byte digest of the weights after a round, zero where none is recorded."""
        return bytes(self._call.checkpointOf(model, round_).call())

    def decisions(self, model: bytes) -> list[Decision]:
        """All decisions of `model`, up to the newest block."""
        if model not in self._histories:
            self._histories[model] = EventHistory(self._contract, ["Decision"], self._first, [model])
        return [
            Decision(
                log["args"]["sequence"],
                bytes(log["args"]["decisionId"]),
                log["args"]["key"],
                log["args"]["value"],
                log["blockNumber"],
            )
            for log in self._histories[model].until()
        ]

    def release_of(self, model: bytes, version: str) -> bytes:
        """32-byte digest of a released version, zero where there is none."""
        return bytes(self._call.releaseOf(model, version).call())

    def decide(self, model: bytes, decision_id: bytes, key: str, value: str) -> ContractFunction:
        """Record a decision (timelock)."""
        return self._call.decide(model, decision_id, key, value)

    def record_release(self, model: bytes, version: str, digest: bytes, licence: str) -> ContractFunction:
        """Name weights that the holders release (timelock)."""
        return self._call.recordRelease(model, version, digest, licence)

    def record_checkpoint(self, model: bytes, round_: int, digest: bytes) -> ContractFunction:
        """Record a checkpoint's digest (timelock)."""
        return self._call.recordCheckpoint(model, round_, digest)
