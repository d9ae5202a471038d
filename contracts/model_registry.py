"""`ModelRegistry`: models, their decisions and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain import contract_at


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the holders, in chain order."""

    sequence: int
    decision_id: bytes
    key: str
    value: str
    block: int


class ModelRegistry:
    """The registry at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: str) -> None:
        self.w3, self.address = w3, address
        self._contract = contract_at(w3, "ModelRegistry", address)
        self._call = self._contract.functions

    def value_of(self, model: bytes, key: str) -> str:
        """The decided value, empty where none was decided."""
        return str(self._call.valueOf(model, key).call())

    def sequence_of(self, model: bytes) -> int:
        """How many decisions there are."""
        return int(self._call.sequenceOf(model).call())

    def checkpoint_of(self, model: bytes, round_: int) -> bytes:
        """32-byte digest of the weights after a round, zero where none is recorded."""
        return bytes(self._call.checkpointOf(model, round_).call())

    def decisions(self, model: bytes, from_block: int = 0, to_block: int | None = None) -> list[Decision]:
        """Decisions of `model` in a block range, both ends included; to the last block for None."""
        logs = self._contract.events.Decision.get_logs(
            argument_filters={"model": model},
            from_block=from_block,
            to_block="latest" if to_block is None else to_block,
        )
        return [
            Decision(
                log["args"]["sequence"],
                bytes(log["args"]["decisionId"]),
                log["args"]["key"],
                log["args"]["value"],
                log["blockNumber"],
            )
            for log in logs
        ]

    def decide(self, model: bytes, decision_id: bytes, key: str, value: str) -> ContractFunction:
        """Record a decision (timelock)."""
        return self._call.decide(model, decision_id, key, value)

    def record_checkpoint(self, model: bytes, round_: int, digest: bytes) -> ContractFunction:
        """Record a checkpoint's digest (timelock)."""
        return self._call.recordCheckpoint(model, round_, digest)
