"""Rounds and their lineage as people read them."""

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
"""contracts/protocol/judge/facts.py:Reason."""


class Start(Part):
    """A state that a round starts from."""

    digest: Digest = Field(description="Its digest.")
    blob: Digest | None = Field(description="BLAKE3 name of its bytes, 0x-hex; null where everybody makes it anew.")


class RoundNode(Part):
    """A node of a round."""

    enrolment: Entry = Field(description="The entry by which it named the address where it is paid.")
    node: Address = Field(description="The node's key.")
    payout: Address = Field(description="Where its share is paid.")
    inner: Digest = Field(description="Digest of the optimizer state that it starts from.")
    profile: Digest = Field(description="The numerics profile under which it computes.")
    rate: Ppm = Field(description="The rate at which its proof is audited.")
    awaited: Flag = Field(description="Whether its commitment is awaited.")
    staked: Flag = Field(description="Whether stake is reserved for its proof.")
    lapsed: Flag = Field(description="Whether k verifiers said that its commitment did not come.")


class LapseLine(Part):
    """Something that did not come, by the word of k verifiers."""

    what: Annotated[str, Field(examples=["commitment"])] = Field(
        description="What it was: contracts/protocol/judge/facts.py:What."
    )
    party: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Of whom; empty where of verifiers as a whole."
    )
    period: Annotated[int, Field(ge=1, le=2, examples=[1], json_schema_extra=unit("periods of the run"))] = Field(
        description="The period that passed."
    )
    entry: Entry = Field(description="The entry that says so.")


class Beacon(Part):
    """The block whose hash draws panels and segments."""

    block: BlockNumber = Field(description="Its number.")
    hash: Digest = Field(description="Its hash.")


class MergeWord(Part):
    """One verifier's outer step."""

    theta: Digest = Field(description="Digest of the merged weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest = Field(description="BLAKE3 name of the weights' bytes, 0x-hex.")
    momentum_blob: Digest = Field(description="The same of the momentum.")
    held_out_loss: Loss = Field(description="Its measurement on held-out data.")


class MergedRound(Part):
    """What k verifiers computed alike."""

    theta: Digest = Field(description="Digest of the merged weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest = Field(description="BLAKE3 name of the weights' bytes, 0x-hex.")
    momentum_blob: Digest = Field(description="The same of the momentum.")
    held_out_loss: dict[Address, Loss] = Field(
        description="Each verifier's measurement.",
        examples=[{"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf": 2_310_000_000}],
    )
    entry: Entry = Field(description="The entry that merges the round.")


class ProofLine(Part):
    """A proof among others."""

    proof: Digest = Field(description="Its id: the digest of the commitment.")
    round: RoundNumber = Field(description="Its round.")
    node: Address = Field(description="Who committed to it.")
    payout: Address = Field(description="Where its share is paid.")
    work: Tokens = Field(description="Tokens that it trained on.")
    state: ProofState = Field(strict=False, description="What became of its work.", examples=["posted"])
    stage: ProofStage = Field(strict=False, description="How far it was read.", examples=["reading"])
    audited: Flag | None = Field(description="Whether it is read; null before its panel is drawn.")
    reason: WhyNot | None = Field(description="Why it was not posted; null where it was, or may be.")
    measured: Error = Field(description="The largest error that a verifier measured against it.")
    limit: Error = Field(description="The limit of that error.")


class Round(Part):
    """One round: who takes part, each proof in a line, what was merged."""

    run: Digest = Field(description="The run.")
    round: RoundNumber = Field(description="The round's number.")
    entry: Entry = Field(description="The entry that opened it.")
    phase: RoundPhase = Field(
        strict=False,
        description="What it waits for: commitments, words, the outer step, nothing.",
        examples=["training"],
    )
    config: ConfigText = Field(description="Its configuration, as JSON in a text.")
    config_digest: Digest = Field(description="The digest of that.")
    data_seed: Digest = Field(description="From which its batches follow.")
    theta: Start = Field(description="The weights that it starts from.")
    momentum: Start = Field(description="The outer momentum that it starts from.")
    verifiers: list[Address] = Field(description="Verifiers that speak in it.")
    threshold: Count = Field(description="How many of them decide.")
    block: BlockNumber = Field(description="The newest block in the log when it opened.")
    nodes: list[RoundNode] = Field(description="Nodes that take part.")
    proofs: list[ProofLine] = Field(description="Proofs, in the order of their commitments.")
    closed_by: Entry | None = Field(description="The entry that closed it; null while it is open.")
    lapses: list[LapseLine] = Field(description="What did not come.")
    beacon: Beacon | None = Field(description="The block that draws; null before it is known.")
    merges: dict[Address, MergeWord] = Field(description="Each verifier's outer step.", examples=[{}])
    merge: MergedRound | None = Field(description="What k of them computed alike; null before.")
    merge_set: list[Digest] | None = Field(
        default=None, description="Proofs that are merged, in their order; absent before they are known.", examples=[[]]
    )


class LineageProof(Part):
    """Work that was merged."""

    proof: Digest = Field(description="The proof.")
    node: Address = Field(description="Whose work it is.")
    payout: Address = Field(description="Where its share is paid.")
    work: Tokens = Field(description="Tokens that it trained on.")


class LineageDecision(Part):
    """A decision that a round opened with."""

    sequence: Count = Field(description="Its number, in the order of the chain.")
    key: Text | None = Field(description="What it decides; null where it is not read from the chain yet.")
    value: Text | None = Field(description="Its value.")


class LineageEpoch(Part):
    """The epoch that pays a round."""

    epoch: EpochNumber = Field(description="Its number.")
    state: EpochStage = Field(strict=False, description="What the chain has of it.", examples=["final"])
    root: Digest = Field(description="Its payout root.")
    ours: Flag | None = Field(description="Whether the chain's final root follows from this log; null before.")
    log_size: Count = Field(description="Entries of the log that its root was rebuilt from.")
    log_root: Digest = Field(description="The tree head of these.")


class LineageRound(Part):
    """What led to the weights after one round."""

    round: RoundNumber = Field(description="The round.")
    entry: Entry = Field(description="The entry that opened it.")
    config_digest: Digest = Field(description="The digest of its configuration.")
    start: Digest = Field(
        validation_alias="from", serialization_alias="from", description="Digest of the weights before it."
    )
    weights: Digest | None = Field(description="Digest of the weights after it; null before its merge.")
    weights_blob: Digest | None = Field(description="BLAKE3 name of their bytes, 0x-hex.")
    merged_at: Entry | None = Field(description="The entry that merged it.")
    proofs: list[LineageProof] = Field(description="Work that was merged.")
    decisions: list[LineageDecision] = Field(description="Decisions that it opened with.")
    contributions: list[Credit] = Field(description="What else was credited during it.")
    epoch: LineageEpoch | None = Field(description="The epoch that pays it; null before it closed.")
