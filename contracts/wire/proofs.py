"""A proof with all messages and derived entries about it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from contracts.messages.for_log import Commitment
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
    """A committed boundary whose state the node opened."""

    blob: Digest = Field(description="BLAKE3 name of the state's bytes, 0x-hex.")
    size: StatedBytes = Field(description="Size of the state in bytes, as its node stated it.")
    path: list[Digest] = Field(description="Merkle path of the boundary to the committed root.")


class SegmentWord(Part):
    """A verifier's verdict on one segment."""

    verifier: Address = Field(description="Address of the verifier.")
    segment: Segment = Field(description="Number of the segment, from 0.")
    word: Annotated[str, Field(examples=["true"])] = Field(
        description="The verdict: true, false, drift or unserved (contracts/protocol/judge/facts.py:Word)."
    )
    reason: WhyNot | None = Field(description="Reason of a false verdict; null for other verdicts.")
    measured: Error = Field(description="Error that the verifier measured, in 1e-18.")
    limit: Error = Field(description="Limit of that error, in 1e-18.")


class BenchCall(Part):
    """A questioned segment, which the full bench reads."""

    segment: Segment = Field(description="Number of the questioned segment, from 0.")
    members: list[Address] = Field(description="Addresses of the verifiers that read the segment.")


class Pledge(Part):
    """The opened pledge of a node: whether its proof is honest work or a canary."""

    fake: Segment | None = Field(
        description="Number of the segment that the node made wrong on purpose; null for honest work."
    )
    salt: Digest = Field(description="Salt of the sealed pledge.")


class ProofFault(Part):
    """A fault that a verifier committed on this proof."""

    proof: Digest = Field(description="Id of the proof.")
    verifier: Address = Field(description="Address of the verifier that committed the fault.")
    fault: Annotated[str, Field(examples=["false-word"])] = Field(
        description="Name of the fault: contracts/protocol/judge/entries.py:Fault."
    )
    round: RoundNumber = Field(description="Round of the proof, from 1.")


class OverruledWord(Part):
    """A verifier whose verdict the full bench overruled. It sits behind the others for some rounds."""

    verifier: Address = Field(description="Address of the overruled verifier.")
    until: Count = Field(description="Last round in which the verifier is seated after all others.")


class Proof(ProofLine):
    """One proof with all messages and derived entries about it."""

    run: Digest = Field(description="Id of the run.")
    segment: Segment | None = Field(
        description="Number of the segment for which the proof was voided; null if it was voided for none."
    )
    at_fault: Flag | None = Field(description="Whether the node is at fault; null before that is derived.")
    costs_stake: Flag | None = Field(description="Whether the fault costs the node stake; null before that is derived.")
    segments: Count = Field(description="Number of segments of the proof.")
    message: Annotated[Object, WithJsonSchema(schema_of(Commitment))] = Field(
        description="The commitment as the node signed it. Its digest is the id of the proof."
    )
    signature: SignatureText = Field(description="The node's signature of the commitment.")
    gradient_blob: Digest = Field(description="BLAKE3 name of the pseudo-gradient's bytes, 0x-hex.")
    has: list[Address] = Field(description="Addresses of the verifiers that hold the pseudo-gradient's bytes.")
    panel: list[Address] = Field(description="Addresses of the verifiers that read the proof.")
    order: list[Address] | None = Field(
        default=None,
        description="Order in which verifiers take the seats of the panel; absent before the beacon drew it.",
        examples=[[]],
    )
    draws: dict[Address, list[Segment]] = Field(
        description="Numbers of the segments that each verifier replays, by its address.", examples=[{}]
    )
    openings: dict[SegmentKey, OpenedState] = Field(
        description="States that the node opened, by the number of the boundary.", examples=[{}]
    )
    words: list[SegmentWord] = Field(description="Verdicts on single segments, in the order of the log.")
    bench: list[BenchCall] = Field(description="Questioned segments, which the full bench reads.")
    decided: dict[SegmentKey, bool] = Field(
        description="Decisions of the full bench, by the number of the segment: true if the segment is valid.",
        examples=[{"4": False}],
    )
    pledge: Pledge | None = Field(description="The node's opened pledge; null while it is sealed.")
    traces: dict[Address, Digest] = Field(
        description="Opened traces of the common segment, by the address of the verifier that sealed each.",
        examples=[{}],
    )
    faults: list[ProofFault] = Field(description="Faults that verifiers committed on the proof.")
    overruled: list[OverruledWord] = Field(description="Verifiers whose verdict the full bench overruled.")
    lapses: list[LapseLine] = Field(description="Lapses: awaited messages about the proof that did not come in time.")
