"""The signed messages that contracts read (EIP-712 structs); those of the log are in contracts/messages/for_log.py.

The parts of a message, and its wire form, are in contracts/messages/fields.py. Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.messages.fields import (
    Address,
    Bytes32,
    Struct,
    Uint8,
    Uint32,
    Uint64,
    Uint256,
    field_types,
    from_json,
    to_json,
    type_string,
)

__all__ = ["field_types", "from_json", "to_json", "type_string"]


class Message(Struct):
    """Base of all messages: a struct that is signed by itself."""


@dataclass(frozen=True)
class VerifierFault(Message):
    """A verifier did not do its work; `evidence` is a hash over proof and kind of fault
    (contracts/protocol/faults.py)."""

    model: Bytes32
    verifier: Address
    evidence: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class NodeFault(Message):
    """A node's proof was rejected by k verifiers for a reason that costs stake; once per proof."""

    model: Bytes32
    node: Address
    proof: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class EpochRoot(Message):
    """The payout root of one epoch, bound to the attempt and to the log's tree head that it was rebuilt from.

    Every round that opened before `settledAt` (Unix seconds, chain time) is settled in that log.
    """

    model: Bytes32
    epoch: Uint64
    attempt: Uint32
    root: Bytes32
    total: Uint256
    count: Uint64
    logSize: Uint64
    logRoot: Bytes32
    settledAt: Uint64
    deadline: Uint64


@dataclass(frozen=True)
class ClaimTo(Message):
    """An account has its line of an epoch paid to another address; signed for the distributor, whose domain it has.

    `amount` in 1e-18 tokens, `deadline` is the last Unix second at which the signature counts.
    """

    epoch: Uint64
    index: Uint256
    account: Address
    kind: Uint8
    amount: Uint256
    to: Address
    deadline: Uint256


MESSAGES: tuple[type[Message], ...] = (VerifierFault, NodeFault, EpochRoot, ClaimTo)
