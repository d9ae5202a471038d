"""Every table. Digests and ids are 0x-hex, addresses checksummed, times Unix seconds, amounts whole units.

Tables in APPEND_ONLY take inserts alone: triggers in the database refuse the rest (see ledger/store.py).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from contracts.reasons import NO_SEGMENT
from ledger.seals import SealedRow


class Units(TypeDecorator[int]):
    """uint256: NUMERIC(78,0) on PostgreSQL, a decimal string of 78 digits on SQLite (sorts as a number)."""

    impl = String(78)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """The column's type on this database."""
        return dialect.type_descriptor(Numeric(78, 0) if dialect.name == "postgresql" else String(78))

    def process_bind_param(self, value: int | None, dialect: Any) -> Any:
        """To the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return f"{value:078d}"

    def process_result_value(self, value: Any, dialect: Any) -> int | None:  # noqa: ARG002 - SQLAlchemy's interface
        """From the database."""
        return None if value is None else int(value)


def units() -> Any:
    """A column of whole units."""
    return Field(sa_column=Column(Units, nullable=False))


def large(*default: int | None, **options: Any) -> Any:
    """A whole number of 64 bits: PostgreSQL's INTEGER ends at 2^31, SQLite's does not. `options` as of `Field`."""
    kind = BigInteger().with_variant(Integer, "sqlite")  # BIGINT is no row id there
    named = {"autoincrement": False} if options.get("primary_key") else {}
    return Field(*default, sa_type=kind, sa_column_kwargs=named, **options)


def document() -> Any:
    """A JSON column."""
    return Field(sa_column=Column(JSON, nullable=False))


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


class Transfer(SealedRow, table=True):
    """One double entry; a pending one is finished by at most one Resolution."""

    id: str = Field(primary_key=True)
    book: str
    debit: str
    credit: str
    amount: int = units()
    pending: bool
    made: int = large()


class Resolution(SealedRow, table=True):
    """The end of a pending transfer: posted or voided."""

    transfer: str = Field(primary_key=True)
    outcome: str
    made: int = large()


class ContributionRow(SealedRow, table=True):
    """Code or data that maintainers vouched for; the first epoch of its run that closes after `log_index` pays it."""

    __tablename__ = "contribution"

    run: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    kind: int = large()
    author: str
    weight: int = units()
    message: str
    log_index: int = large()


class LogEntry(SQLModel, table=True):
    """A leaf of the transparency log: canonical JSON. `subject` is the proof that it decides about (ledger/log.py)."""

    index: int = large(primary_key=True)
    body: str = Field(sa_column=Column(Text, nullable=False))
    subject: str | None = Field(default=None, index=True)


class LogNode(SQLModel, table=True):
    """The hash (32 bytes) of a complete subtree of the log, under its number (contracts/stored_tree.py)."""

    number: int = large(primary_key=True)
    hash: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))


class Epoch(SealedRow, table=True):
    """An epoch's payout root; `state` follows the chain: closed, proposed, disputed, final."""

    number: int = large(primary_key=True)
    run: str
    state: str = "closed"
    attempt: int = large(0)
    first_round: int = large()
    last_round: int = large()
    root: str
    total: int = units()
    count: int = large()
    log_size: int = large()
    log_root: str
    deadline: int = large()


class PayoutRow(SealedRow, table=True):
    """One payee of an epoch."""

    __tablename__ = "payout"

    epoch: int = large(primary_key=True)
    index: int = large(primary_key=True)
    account: str
    kind: int = large()
    amount: int = units()
    leaf: str = Field(unique=True)


class Cosignature(SealedRow, table=True):
    """A verifier's signature under a message that k of them bring to the chain, by the message's EIP-712 digest."""

    digest: str = Field(primary_key=True)
    signer: str = Field(primary_key=True)
    signature: str


class LeaseRow(SealedRow, table=True):
    """Who does a job alone until `expires`; `token` grows with each new holder (ledger/leases.py)."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    token: int = large()
    expires: int = large()


class Outgoing(SealedRow, table=True):
    """A call that the relayer owes the chain, and where it stands (states: ledger/outbox.py).

    `hash` is the attempt that is in block `block`, or else the newest; before `due` nothing is tried again, and at
    `sent` the bytes were last handed to a node (both Unix seconds). `tries` counts what failed.
    """

    __table_args__ = (UniqueConstraint("signer", "nonce"),)

    id: str = Field(primary_key=True)
    order: int = large(unique=True)
    to: str
    data: str = Field(sa_column=Column(Text, nullable=False))
    value: int = units()
    state: str = Field(default="queued", index=True)
    tries: int = large(0)
    due: int = large(0)
    sent: int = large(0)
    signer: str | None = None
    nonce: int | None = large(None)
    hash: str | None = None
    block: int | None = large(None)
    block_hash: str | None = None
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class Attempt(SealedRow, table=True):
    """A transaction that was signed for an Outgoing: any of those with its nonce may be the one that is mined.

    `max_fee` and `tip` in wei per gas; `cancels` if it does nothing but use the nonce up; `final` was the newest final
    block when it was made, and `token` the fencing token of who signed.
    """

    __table_args__ = (Index("ix_attempt_signer_nonce", "signer", "nonce"),)

    hash: str = Field(primary_key=True)
    call: str = Field(index=True)
    signer: str
    nonce: int = large()
    raw: str = Field(sa_column=Column(Text, nullable=False))
    max_fee: int = units()
    tip: int = units()
    cancels: bool
    made: int = large()
    final: int = large()
    token: int = large()


class Cursor(SealedRow, table=True):
    """How far the indexer has read the final chain."""

    name: str = Field(primary_key=True)
    block: int = large()
    hash: str


class Header(SealedRow, table=True):
    """A block after the cursor, by the newest reading: a reorg may take it back, and then the row goes."""

    number: int = large(primary_key=True)
    hash: str
    parent: str


class PendingEvent(SealedRow, table=True):
    """A decoded event of a Header's block. Nothing follows from it until the block is final."""

    block: int = large(primary_key=True)
    log_index: int = large(primary_key=True)
    transaction: str
    contract: str
    name: str = Field(index=True)
    arguments: dict[str, Any] = document()


class ChainEvent(SealedRow, table=True):
    """A decoded event of a final block."""

    block: int = large(primary_key=True)
    log_index: int = large(primary_key=True)
    transaction: str
    contract: str
    name: str
    arguments: dict[str, Any] = document()


class DecisionRow(SealedRow, table=True):
    """A decision of the holders, in chain order; `outcome` says what the run that came to it last made of it."""

    __tablename__ = "decision"

    sequence: int = large(primary_key=True)
    key: str
    value: str
    block: int = large()
    round: int | None = large(None)
    outcome: str | None = None


class Proposal(SealedRow, table=True):
    """A proposal that came through the API."""

    id: str = Field(primary_key=True)
    proposer: str
    description: str
    decisions: list[list[str]] = document()
    executed: bool = False


class BallotRow(SealedRow, table=True):
    """A signed ballot that came through the API; support 0 against, 1 for, 2 abstain."""

    __tablename__ = "ballot"

    proposal: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    support: int = large()
    signature: str


APPEND_ONLY: tuple[str, ...] = (
    "signedmessage",
    "panel",
    "challenge",
    "opening",
    "pledge",
    "verdict",
    "merge",
    "transfer",
    "resolution",
    "contribution",
    "logentry",
    "lognode",
    "payout",
    "cosignature",
    "attempt",
    "chainevent",
    "ballot",
)
