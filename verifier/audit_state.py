"""What an audit of the log remembers: the chain's word, and runs, rounds and proofs as the log shows them so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts import messages
from contracts.audit_rate import Outcome, outcome_of
from contracts.reasons import NO_SEGMENT, Reason
from contracts.run_config import RunConfig
from contracts.signing import Domain
from contracts.verifier_registry import VerifierSet


@dataclass(frozen=True)
class Authority:
    """What the chain says: message domain, registry's domain, registrant of the model, distributor, and by block.

    What is asked for a block that does not exist raises a CommonweightError.
    """

    domain: Domain
    registry_domain: Domain
    creator: str
    distributor: str
    verifiers_at: Callable[[int], frozenset[str]]
    """Who was admitted at the end of a block."""
    threshold_at: Callable[[int], int]
    """k of k-of-n at the end of a block."""
    widest_since: Callable[[int], VerifierSet]
    """Everybody who was admitted at the end of a block or later, and the least k from then on."""
    decision: Callable[[int], tuple[str, str]]
    """Key and value of the holders' decision of a sequence number, read from the chain."""
    beacon: Callable[[int], bytes]
    """Hash of the chain's block of that number."""
    node_stake: Callable[[str, int], int]
    """Wei that a node had staked at the end of a block."""


@dataclass
class RunState:
    """A run as far as the log was read; `block` is the newest one that the chain had reached by then."""

    manifest: messages.RunManifest
    config: RunConfig
    theta: str
    momentum: str = ""
    round: int = 0
    block: int = 0
    merged: int = 0
    paid: int = 0


@dataclass(frozen=True)
class RoundState:
    """What a round opened with; `nodes` are payout addresses, `rates` audit rates in parts per million, by node.

    `bench` are the verifiers and k at the end of `block`: nobody else's word counts on the round, and fewer do not do.
    """

    theta: str
    nodes: dict[str, str]
    rates: dict[str, int]
    data_seed: str
    config: RunConfig
    block: int
    bench: VerifierSet


@dataclass
class ProofState:
    """A proof and what was said of it; verdicts are outcomes by (stage, verifier)."""

    message: messages.StepProof
    beacon_block: int
    order: tuple[str, ...] = ()
    seated: list[str] = field(default_factory=list)
    beacon: bytes = b""
    verdicts: dict[tuple[int, str], int] = field(default_factory=dict)
    state: str = "pending"
    reason: Reason | None = None
    spared: bool = False
    fake: int | None = None
    restored_round: int | None = None

    @property
    def outcome(self) -> Outcome | None:
        """What it says of its node's record; None where nothing (contracts/audit_rate.py)."""
        if self.fake not in (None, NO_SEGMENT) or self.restored_round is not None:
            return None
        return outcome_of(self.state, not self.spared, self.reason)
