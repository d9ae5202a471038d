"""Runs, rounds, proofs, and what was said about them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Text, UniqueConstraint
from sqlmodel import Field

from contracts.reasons import NO_SEGMENT
from ledger.seals import SealedRow
from ledger.tables.columns import document, large, units


class SignedMessage(SealedRow, table=True):
    """Every message that was accepted, under its EIP-712 digest."""

    digest: str = Field(primary_key=True)
    kind: str
    body: dict[str, Any] = document()
    signature: str
    signer: str
    received: int = large()


class Run(SealedRow, table=True):
    """A run; `config` is what the next round would open with, after the decisions up to `decided`."""

    id: str = Field(primary_key=True)
    creator: str
    manifest: dict[str, Any] = document()
    config: str = Field(sa_column=Column(Text, nullable=False))
    layout: dict[str, Any] = document()
    genesis_blob: str
    momentum: str
    momentum_blob: str
    phase: str = "enrolling"
    round: int = large(0)
    decided: int = large(0)


class Node(SealedRow, table=True):
    """An enrolled node. `inner_proof` is its last accepted proof, which its optimizer state continues."""

    run: str = Field(primary_key=True)
    node: str = Field(primary_key=True)
    payout: str
    from_round: int = large()
    nonce: int = units()
    active: bool = True
    inner_digest: str
    inner_proof: str | None = None


class Anchor(SealedRow, table=True):
    """The end of a verifier's hash chain, and the chain's head when it was bound: later beacons alone draw with it."""

    run: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    anchor: str
    length: int = large()
    block: int = large()


class Round(SealedRow, table=True):
    """One outer step: where it starts, its phase (training, verifying, merging, closed), verifiers and k at `block`."""

    run: str = Field(primary_key=True)
    number: int = large(primary_key=True)
    phase: str = "training"
    config: str = Field(sa_column=Column(Text, nullable=False))
    config_digest: str
    data_seed: str
    theta: str
    theta_blob: str
    momentum: str
    momentum_blob: str
    block: int = large()
    verifiers: list[str] = document()
    threshold: int = large()
    opened: int = large()
    phase_since: int = large()


class Participant(SealedRow, table=True):
    """A node on a round's frozen list, with its lease and the audit rate (parts per million) of its proof."""

    run: str = Field(primary_key=True)
    number: int = large(primary_key=True)
    node: str = Field(primary_key=True)
    payout: str
    inner_digest: str
    inner_proof: str | None = None
    step: int = large(0)
    seen: int = large()
    rate: int = large(1_000_000)
    lapsed: bool = False


class Proof(SealedRow, table=True):
    """A StepProof and where it stands: pending, posted or voided."""

    __table_args__ = (UniqueConstraint("run", "number", "node"),)

    id: str = Field(primary_key=True)
    run: str
    number: int = large()
    node: str
    payout: str
    work: int = large()
    gradient_blob: str
    beacon_block: int = large()
    state: str = "pending"
    stage: int = large(1)
    stage_since: int = large()
    opening_deadline: int | None = large(None)
    accepted_since: int | None = large(None)
    audited: bool = True
    disputed: list[int] = document()
    reason: int | None = large(None)
    measured: int = units()
    limit: int = units()


class PanelRow(SealedRow, table=True):
    """The order in which verifiers take seats to read a proof, as its beacon drew it."""

    __tablename__ = "panel"

    proof: str = Field(primary_key=True)
    order: list[str] = document()


class Seat(SealedRow, table=True):
    """A verifier that reads a proof; later ones sat down when an earlier seat was vacated, or k could not agree."""

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    number: int = large()
    since: int = large()
    vacated: bool = False


class ChallengeRow(SealedRow, table=True):
    """A verifier's draw for one proof."""

    __tablename__ = "challenge"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    segments: list[int] = document()
    message: str


class OpeningRow(SealedRow, table=True):
    """A boundary that the node opened."""

    __tablename__ = "opening"

    proof: str = Field(primary_key=True)
    boundary: int = large(primary_key=True)
    blob: str
    path: list[str] = document()
    message: str


class PledgeRow(SealedRow, table=True):
    """What a node owned up to when all had spoken: `fake` as in contracts/pledge.py."""

    __tablename__ = "pledge"

    proof: str = Field(primary_key=True)
    fake: int = large()
    message: str

    @property
    def canary(self) -> bool:
        """Whether a segment was bad on purpose."""
        return bool(self.fake != NO_SEGMENT)


class VerdictRow(SealedRow, table=True):
    """A verifier's outcome at one stage of a proof."""

    __tablename__ = "verdict"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    stage: int = large(primary_key=True)
    outcome: int = large()
    reason: int = large()
    segment: int = large()
    measured: int = units()
    limit: int = units()
    message: str


class MergeRow(SealedRow, table=True):
    """A verifier's outer step for one round."""

    __tablename__ = "merge"

    run: str = Field(primary_key=True)
    number: int = large(primary_key=True)
    verifier: str = Field(primary_key=True)
    accepted: str
    theta: str
    momentum: str
    theta_blob: str
    momentum_blob: str
    held_out_loss: int = large()
    message: str
