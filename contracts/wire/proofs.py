"""A proof with everything that was said about it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from contracts.messages.for_log import Commitment
from contracts.protocol.judge.facts import Word
from contracts.wire.fields import (
    Address,
    Count,
    Digest,
    Error,
    Flag,
    Object,
    Part,
    RoundNumber,
    Segment,
    SegmentKey,
    SignatureText,
    StatedBytes,
)
from contracts.wire.message_schema import schema_of
from contracts.wire.rounds import LapseLine, ProofLine, WhyNot


class OpenedState(Part):
    """A committed boundary that its node opened."""

    blob: Digest = Field(description="BLAKE3 name of the state's bytes, 0x-hex.")
    size: StatedBytes = Field(description="How many they are.")
    path: list[Digest] = Field(description="The Merkle path of the boundary to the committed root.")


class SegmentWord(Part):
    """A verifier's word on one segment."""

    verifier: Address = Field(description="Who said it.")
    segment: Segment = Field(description="The segment.")
    word: Word = Field(strict=False, description="What it found.", examples=["true"])
    reason: WhyNot | None = Field(description="Why it is false; null for other words.")
    measured: Error = Field(description="The error that it measured.")
    limit: Error = Field(description="The limit of that error.")


class BenchCall(Part):
    """A questioned segment that the full bench reads."""

    segment: Segment = Field(description="The segment.")
    members: list[Address] = Field(description="Who reads it.")


class Pledge(Part):
    """What a node had sealed of its work."""

    fake: Segment | None = Field(description="The segment that it knew to be bad; null for honest work.")
    salt: Digest = Field(description="The salt of the seal.")


class ProofFault(Part):
    """A fault of a verifier on this proof."""

    proof: Digest = Field(description="The proof.")
    verifier: Address = Field(description="Whose fault it is.")
    fault: Annotated[str, Field(examples=["false-word"])] = Field(
        description="What it did: contracts/protocol/judge/entries.py:Fault."
    )
    round: RoundNumber = Field(description="The round.")


class OverruledWord(Part):
    """A verifier that stood alone, and speaks again after some rounds."""

    verifier: Address = Field(description="The verifier.")
    until: Count = Field(description="The round until which it is not drawn.")


class Proof(ProofLine):
    """One proof with everything that was said about it."""

    run: Digest = Field(description="The run.")
    segment: Segment | None = Field(description="The segment for which it was voided; null for none.")
    at_fault: Flag | None = Field(description="Whether its node is at fault; null before that is derived.")
    costs_stake: Flag | None = Field(description="Whether it costs the node stake; null before that is derived.")
    segments: Count = Field(description="Segments that it has.")
    message: Annotated[Object, WithJsonSchema(schema_of(Commitment))] = Field(
        description="The commitment as it was signed; the proof's id is its digest."
    )
    signature: SignatureText = Field(description="The node's signature of it.")
    gradient_blob: Digest = Field(description="BLAKE3 name of the pseudo-gradient's bytes, 0x-hex.")
    has: list[Address] = Field(description="Verifiers that hold these bytes.")
    panel: list[Address] = Field(description="Verifiers that read it.")
    order: list[Address] | None = Field(
        default=None,
        description="The order in which seats are filled; absent before the beacon drew it.",
        examples=[[]],
    )
    draws: dict[Address, list[Segment]] = Field(description="By verifier: the segments that it reads.", examples=[{}])
    openings: dict[SegmentKey, OpenedState] = Field(description="By boundary: what its node opened.", examples=[{}])
    words: list[SegmentWord] = Field(description="Verifiers' words, in the log's order.")
    bench: list[BenchCall] = Field(description="Segments that went to the full bench.")
    decided: dict[SegmentKey, bool] = Field(
        description="By segment of the bench: whether it is true.", examples=[{"4": False}]
    )
    pledge: Pledge | None = Field(description="What its node had sealed; null before it is opened.")
    traces: dict[Address, Digest] = Field(
        description="By verifier: the trace of the common segment that it had sealed.", examples=[{}]
    )
    faults: list[ProofFault] = Field(description="Faults of verifiers on it.")
    overruled: list[OverruledWord] = Field(description="Verifiers that the bench overruled.")
    lapses: list[LapseLine] = Field(description="What did not come.")
