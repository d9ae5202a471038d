"""What an audit of the log remembers: the chain's word, and runs, rounds and proofs as the log shows them so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from contracts import messages
from contracts.audit_rate import Outcome, outcome_of
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT, Reason
from contracts.run_config import RunConfig
from contracts.signing import Domain, require_signer
from contracts.verifier_registry import VerifierSet

M = TypeVar("M", bound=messages.Message)


class NotBorneOut(Exception):
    """Internal: what an entry says does not follow from those before it; `LogAudit.take` adds the index."""


def require(holds: bool, otherwise: str) -> None:
    """Raises NotBorneOut."""
    if not holds:
        raise NotBorneOut(otherwise)


def signed(domain: Domain, kind: type[M], entry: dict[str, Any], signer: Callable[[M], str]) -> M:
    """The message of an entry, its signature checked. Raises BadField and BadSignature."""
    message = messages.from_json(kind, entry["message"])
    require_signer(message, domain, bytes.fromhex(entry["signature"][2:]), signer(message))
    return message


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
    momentum: str
    nodes: dict[str, str]
    rates: dict[str, int]
    data_seed: str
    config: RunConfig
    block: int
    bench: VerifierSet


@dataclass
class ProofState:
    """A proof and what was said of it in the log; every message of a verifier is signed, and of one with a seat.

    `inner` is what its node's last accepted proof ended with, empty for a joiner. `verdicts` are by (stage, verifier),
    all else that verifiers said by verifier; `openings` are log entries by boundary; `disputed` is None before stage 2.
    """

    message: messages.StepProof
    signature: str
    beacon_block: int
    inner: bytes
    first_path: tuple[bytes, ...]
    last_path: tuple[bytes, ...]
    order: tuple[str, ...] = ()
    seated: list[str] = field(default_factory=list)
    beacon: bytes = b""
    draws: dict[str, tuple[int, ...]] = field(default_factory=dict)
    openings: dict[int, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[tuple[int, str], messages.Verdict] = field(default_factory=dict)
    disputed: tuple[int, ...] | None = None
    witnesses: dict[str, bytes] = field(default_factory=dict)
    traces: dict[str, bytes] = field(default_factory=dict)
    state: str = "pending"
    reason: Reason | None = None
    spared: bool = False
    fake: int | None = None
    restored_round: int | None = None

    def accepts(self) -> int:
        """Accepting verdicts of the stage that decides: the second, if anybody rejected at the first."""
        disputed = any(s == 1 and said.outcome == REJECT for (s, _), said in self.verdicts.items())
        stage = 2 if disputed else 1
        return sum(s == stage and said.outcome == ACCEPT for (s, _), said in self.verdicts.items())

    @property
    def outcome(self) -> Outcome | None:
        """What it says of its node's record; None where nothing (contracts/audit_rate.py)."""
        if self.fake not in (None, NO_SEGMENT) or self.restored_round is not None:
            return None
        return outcome_of(self.state, not self.spared, self.reason)


@dataclass
class Books:
    """All that was read: runs and proofs by id, rounds by (run, number), payout addresses by (run, node)."""

    runs: dict[str, RunState] = field(default_factory=dict)
    rounds: dict[tuple[str, int], RoundState] = field(default_factory=dict)
    proofs: dict[str, ProofState] = field(default_factory=dict)
    payouts: dict[tuple[str, str], str] = field(default_factory=dict)
    anchors: dict[tuple[str, str], messages.DrawAnchor] = field(default_factory=dict)
    bound: dict[tuple[str, str], int] = field(default_factory=dict)

    def round_of(self, proof: ProofState) -> RoundState:
        """The round that a proof is of."""
        return self.rounds[run_of(proof), proof.message.round]

    def posted(self, run: str, number: int) -> list[str]:
        """Ids of a round's posted proofs in order of node address, which is the order of the merge."""
        found = [
            (proof.message.node.lower(), key)
            for key, proof in self.proofs.items()
            if (proof.state, run_of(proof), proof.message.round) == ("posted", run, number)
        ]
        return [key for _, key in sorted(found)]

    def pending(self, run: str, number: int) -> bool:
        """Whether a proof of the round is undecided."""
        return any(
            (proof.state, run_of(proof), proof.message.round) == ("pending", run, number)
            for proof in self.proofs.values()
        )


def run_of(proof: ProofState) -> str:
    """Id of the run that a proof is of."""
    return "0x" + proof.message.run.hex()
