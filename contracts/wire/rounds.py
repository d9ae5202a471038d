"""Rounds and the lineage of weights, for human readers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import (
    Address,
    BlockNumber,
    Count,
    Digest,
    Entry,
    EpochNumber,
    Error,
    Flag,
    Loss,
    Part,
    Ppm,
    RoundNumber,
    Text,
    Tokens,
    unit,
)
from contracts.wire.runs import ConfigText, Credit
from contracts.wire.states import EpochStage, ProofStage, ProofState, RoundPhase

WhyNot = Annotated[str, Field(examples=["replay-mismatch"])]
"""Reason of a false verdict or of a voided proof: contracts/protocol/judge/facts.py:Reason."""


class Start(Part):
    """A tensor state that a round starts from: weights or momentum."""

    digest: Digest = Field(description="Digest of the state.")
    blob: Digest | None = Field(
        description="BLAKE3 name of the state's bytes, 0x-hex; null if everybody computes the state anew."
    )


class RoundNode(Part):
    """A node that takes part in a round."""

    enrolment: Entry = Field(description="Index of the log entry in which the node named its payout address.")
    node: Address = Field(description="Address of the node's key.")
    payout: Address = Field(description="Address that the node's pay goes to.")
    inner: Digest = Field(description="Digest of the optimizer state that the node starts the round from.")
    profile: Digest = Field(description="Digest of the numerics profile under which the node computes.")
    rate: Ppm = Field(description="Audit rate of the node's proof, in parts per million.")
    awaited: Flag = Field(description="Whether a commitment of the node is awaited.")
    staked: Flag = Field(description="Whether stake of the node is reserved for its proof.")
    lapsed: Flag = Field(description="Whether k verifiers signed that the node's commitment did not come in time.")


class LapseLine(Part):
    """A lapse: k verifiers signed that an awaited message did not come in time."""

    what: Annotated[str, Field(examples=["commitment"])] = Field(
        description="Kind of the missing message: contracts/protocol/judge/facts.py:What."
    )
    party: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Address that owed the message; empty if verifiers as a whole owed it."
    )
    period: Annotated[int, Field(ge=1, le=2, examples=[1], json_schema_extra=unit("periods of the run"))] = Field(
        description="Period that passed without the message: 1 the first, 2 the second."
    )
    entry: Entry = Field(description="Index of the log entry with the lapse.")


class Beacon(Part):
    """The block whose hash fixes the panels and the segments that verifiers replay."""

    block: BlockNumber = Field(description="Number of the block.")
    hash: Digest = Field(description="Hash of the block.")


class MergeWord(Part):
    """The outer step of a round, as one verifier computed it."""

    theta: Digest = Field(description="Digest of the merged weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest = Field(description="BLAKE3 name of the weights' bytes, 0x-hex.")
    momentum_blob: Digest = Field(description="BLAKE3 name of the momentum's bytes, 0x-hex.")
    held_out_loss: Loss = Field(
        description="Loss of the merged weights on held-out data, as this verifier measured it, in 1e-9 nats per token."
    )


class MergedRound(Part):
    """The outer step of a round, on which k verifiers agree."""

    theta: Digest = Field(description="Digest of the merged weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest = Field(description="BLAKE3 name of the weights' bytes, 0x-hex.")
    momentum_blob: Digest = Field(description="BLAKE3 name of the momentum's bytes, 0x-hex.")
    held_out_loss: dict[Address, Loss] = Field(
        description="Loss on held-out data in 1e-9 nats per token, by the address of the verifier that measured it.",
        examples=[{"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf": 2_310_000_000}],
    )
    entry: Entry = Field(description="Index of the log entry that merges the round.")


class ProofLine(Part):
    """One proof in a list."""

    proof: Digest = Field(description="Id of the proof: the digest of its commitment.")
    round: RoundNumber = Field(description="Round of the proof, from 1.")
    node: Address = Field(description="Address of the node that signed the commitment.")
    payout: Address = Field(description="Address that the pay for the proof goes to.")
    work: Tokens = Field(description="Number of training tokens in the proof.")
    state: ProofState = Field(
        strict=False, description="Result of the proof: pending, out, posted, voided or undecided.", examples=["posted"]
    )
    stage: ProofStage = Field(
        strict=False,
        description="Stage of the proof's verification, from committed to posted or ended.",
        examples=["reading"],
    )
    audited: Flag | None = Field(
        description="Whether verifiers replay segments of the proof; null before its panel is drawn."
    )
    reason: WhyNot | None = Field(
        description="Reason why the proof was not posted; null for a posted or pending proof."
    )
    measured: Error = Field(description="Largest error that a verifier measured on the proof, in 1e-18.")
    limit: Error = Field(description="Limit of that error, in 1e-18.")


class Round(Part):
    """One round: its nodes and verifiers, one line for each proof, and its merge."""

    run: Digest = Field(description="Id of the run.")
    round: RoundNumber = Field(description="Number of the round, from 1.")
    entry: Entry = Field(description="Index of the log entry that opened the round.")
    phase: RoundPhase = Field(
        strict=False,
        description="Phase of the round: training, verifying, merging or closed.",
        examples=["training"],
    )
    config: ConfigText = Field(description="Configuration of the round, as JSON in a text.")
    config_digest: Digest = Field(description="Digest of the configuration.")
    data_seed: Digest = Field(description="Seed from which the batches of all nodes follow.")
    theta: Start = Field(description="Weights that the round starts from.")
    momentum: Start = Field(description="Outer momentum that the round starts from.")
    verifiers: list[Address] = Field(description="Addresses of the verifiers that judge the round.")
    threshold: Count = Field(description="Number of these verifiers that decide together (k).")
    block: BlockNumber = Field(description="Number of the newest block in the log at the opening of the round.")
    nodes: list[RoundNode] = Field(description="Nodes that take part in the round.")
    proofs: list[ProofLine] = Field(description="Proofs of the round, in the order of their commitments.")
    closed_by: Entry | None = Field(description="Index of the log entry that closed the round; null while it is open.")
    lapses: list[LapseLine] = Field(description="Lapses: awaited messages of the round that did not come in time.")
    beacon: Beacon | None = Field(
        description="Block whose hash fixes the panels and segments; null before it is known."
    )
    merges: dict[Address, MergeWord] = Field(
        description="Outer step as each verifier computed it, by its address.", examples=[{}]
    )
    merge: MergedRound | None = Field(description="Outer step on which k verifiers agree; null before.")
    merge_set: list[Digest] | None = Field(
        default=None,
        description="Ids of the proofs whose gradients are merged, in the merge's order; absent before they are known.",
        examples=[[]],
    )


class LineageProof(Part):
    """A proof whose gradient was merged into the weights."""

    proof: Digest = Field(description="Id of the proof.")
    node: Address = Field(description="Address of the node that did the work.")
    payout: Address = Field(description="Address that the pay for the proof goes to.")
    work: Tokens = Field(description="Number of training tokens in the proof.")


class LineageDecision(Part):
    """A decision of the holders that took effect at the opening of a round."""

    sequence: Count = Field(description="Number of the decision, in the order of the chain.")
    key: Text | None = Field(
        description="Setting that the decision changes; null if this server has not read it from the chain yet."
    )
    value: Text | None = Field(
        description="New value of the setting; null if this server has not read it from the chain yet."
    )


class LineageEpoch(Part):
    """The epoch that pays a round."""

    epoch: EpochNumber = Field(description="Number of the epoch, from 1.")
    state: EpochStage = Field(
        strict=False,
        description="State of the epoch on the chain: closed (no root there), proposed, disputed or final.",
        examples=["final"],
    )
    root: Digest = Field(description="Root of the payout tree.")
    ours: Flag | None = Field(
        description="Whether the final root on the chain follows from this log; null while no root is final."
    )
    log_size: Count = Field(description="Number of log entries from which the root was computed.")
    log_root: Digest = Field(description="Root of the log tree over these log_size entries.")


class LineageRound(Part):
    """The origin of the weights after one round."""

    round: RoundNumber = Field(description="Number of the round, from 1.")
    entry: Entry = Field(description="Index of the log entry that opened the round.")
    config_digest: Digest = Field(description="Digest of the round's configuration.")
    start: Digest = Field(
        validation_alias="from", serialization_alias="from", description="Digest of the weights before the round."
    )
    weights: Digest | None = Field(description="Digest of the weights after the round; null before its merge.")
    weights_blob: Digest | None = Field(
        description="BLAKE3 name of the bytes of the weights after the round, 0x-hex; null before its merge."
    )
    merged_at: Entry | None = Field(description="Index of the log entry that merged the round; null before its merge.")
    proofs: list[LineageProof] = Field(description="Proofs whose gradients were merged.")
    decisions: list[LineageDecision] = Field(
        description="Decisions of the holders that took effect at the opening of the round."
    )
    contributions: list[Credit] = Field(
        description="Contributions of code and data that were credited during the round."
    )
    epoch: LineageEpoch | None = Field(description="Epoch that pays the round; null before it closed.")
