"""Chain events: stakes, decisions and epochs in final blocks, as the machine takes them.

Addresses and proof ids are text; amounts are whole numbers (wei, token units).
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.ids import Address, ProofId


class ChainEvent:
    """Base of a final block's events; each has the state after it, never a difference."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Quorum(ChainEvent):
    """How many verifiers decide, and the least stake (wei) of one."""

    k: int
    least_stake: int


@dataclass(frozen=True, slots=True)
class VerifierStands(ChainEvent):
    """A verifier's admission and stake (wei). `slashed`: the stake fell through a fault."""

    verifier: Address
    admitted: bool
    stake: int
    slashed: bool = False


@dataclass(frozen=True, slots=True)
class NodeStake(ChainEvent):
    """A node's stake (wei)."""

    node: Address
    stake: int


@dataclass(frozen=True, slots=True)
class NodeSlashed(ChainEvent):
    """The slash for a proof is final."""

    proof: ProofId


@dataclass(frozen=True, slots=True)
class VerifierSlashed(ChainEvent):
    """The slash for a verifier's fault about a proof is final."""

    proof: ProofId
    verifier: Address
    fault: str


@dataclass(frozen=True, slots=True)
class Decided(ChainEvent):
    """The holders' decision of that number in the model's order."""

    sequence: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class EpochLimit(ChainEvent):
    """The most that an epoch may pay (token units)."""

    total: int


@dataclass(frozen=True, slots=True)
class EpochFinal(ChainEvent):
    """A root became final on the chain."""

    epoch: int
    attempt: int
    root: str


@dataclass(frozen=True, slots=True)
class EpochStruck(ChainEvent):
    """Holders struck a root down."""

    epoch: int
    attempt: int


@dataclass(frozen=True, slots=True)
class EpochLapsed(ChainEvent):
    """A root fell, since nobody decided its dispute in time."""

    epoch: int
    attempt: int
