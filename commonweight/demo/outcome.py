"""The outcome of a demo, as `summary.json` has it: amounts are decimal texts of 1e-18 tokens, losses nats per byte."""

from __future__ import annotations

from contracts.wire.fields import Part
from contracts.wire.relay import Transaction
from contracts.wire.states import EpochStage, ProofState
from contracts.wire.votes import Decision, Tally


class NodeOutcome(Part):
    """A node's steps, and the tokens of its wallet."""

    name: str
    address: str
    claimed_steps: int
    verified_steps: int
    voided_steps: int
    reasons: list[str]
    units: str
    share_percent: float


class VerdictWord(Part):
    """One verifier's word on a segment; error and limit are relative to the segment's change."""

    verifier: str
    segment: int
    word: str
    error: float
    limit: float


class VerdictOutcome(Part):
    """A proof: its draws, its words and its end. Nodes and verifiers have names instead of addresses."""

    round: int
    node: str
    state: ProofState
    reason: str | None
    error: float
    limit: float
    draws: dict[str, list[int]]
    bench: list[int]
    decided: dict[str, bool]
    words: list[VerdictWord]
    proof: str

    def is_decided_by_k(self) -> bool:
        """Whether at least two verifiers replayed a segment to another state, so that the bench decided it."""
        false = [word.segment for word in self.words if word.word == "false"]
        return any(not true and false.count(int(segment)) >= 2 for segment, true in self.decided.items())

    def speakers(self) -> set[str]:
        """The verifiers with a word on the proof."""
        return {word.verifier for word in self.words}


class RoundOutcome(Part):
    """A round: its nodes, those whose lease lapsed, and the merged weights."""

    round: int
    config_digest: str
    inner_lr: str
    nodes: list[str]
    lapsed: list[str]
    theta: str | None
    held_out_loss: float | None


class EpochOutcome(Part):
    """The epoch, by the ledger."""

    epoch: int
    root: str
    total: str
    count: int
    state: EpochStage
    log_size: int
    log_root: str


class ChainOutcome(Part):
    """The same money by the chain, with the balance of each node's wallet."""

    supply: str
    balances: dict[str, str]
    epoch_root: str
    epoch_total: str
    epoch_final: bool


class Findings(Part):
    """All figures that were read back."""

    run: str
    nodes: list[NodeOutcome]
    verdicts: list[VerdictOutcome]
    rounds: list[RoundOutcome]
    epoch: EpochOutcome
    chain: ChainOutcome
    tally: Tally
    decisions: list[Decision]
    transactions: list[Transaction]


class Outcome(Findings):
    """With the equalities that must hold, and whether they do."""

    checks: dict[str, bool]


class Summary(Outcome):
    """The whole: with the baselines by kind, and the demo's seconds."""

    seed: int
    seconds: float
    baselines: dict[str, list[float]]
