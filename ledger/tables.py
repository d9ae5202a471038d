"""Every table. Digests and ids are 0x-hex, addresses checksummed, times Unix seconds, amounts whole units.

Tables in APPEND_ONLY take inserts alone: triggers in the database refuse the rest (see ledger/store.py).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Numeric, String, Text, TypeDecorator, UniqueConstraint
from sqlmodel import Field, SQLModel

from contracts.reasons import NO_SEGMENT


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


def large() -> Any:
    """A whole number that 32 bits need not hold."""
    return Field(sa_column=Column(BigInteger, nullable=False))


def document() -> Any:
    """A JSON column."""
    return Field(sa_column=Column(JSON, nullable=False))


class SignedMessage(SQLModel, table=True):
    """Every message that was accepted, under its EIP-712 digest."""

    digest: str = Field(primary_key=True)
    kind: str
    body: dict[str, Any] = document()
    signature: str
    signer: str
    received: int


class Run(SQLModel, table=True):
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
    round: int = 0
    decided: int = 0


class Node(SQLModel, table=True):
    """An enrolled node. `inner_proof` is its last accepted proof, which its optimizer state continues."""

    run: str = Field(primary_key=True)
    node: str = Field(primary_key=True)
    payout: str
    from_round: int
    nonce: int = units()
    active: bool = True
    inner_digest: str
    inner_proof: str | None = None


class Anchor(SQLModel, table=True):
    """The end of a verifier's hash chain, and the chain's head when it was bound: later beacons alone draw with it."""

    run: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    anchor: str
    length: int
    block: int


class Round(SQLModel, table=True):
    """One outer step: what it starts from, and its phase (training, verifying, merging, closed)."""

    run: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    phase: str = "training"
    config: str = Field(sa_column=Column(Text, nullable=False))
    config_digest: str
    data_seed: str
    theta: str
    theta_blob: str
    momentum: str
    momentum_blob: str
    opened: int
    phase_since: int


class Participant(SQLModel, table=True):
    """A node on a round's frozen list, with its lease and the audit rate (parts per million) of its proof."""

    run: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    node: str = Field(primary_key=True)
    payout: str
    inner_digest: str
    inner_proof: str | None = None
    step: int = 0
    seen: int
    rate: int = 1_000_000
    lapsed: bool = False


class Proof(SQLModel, table=True):
    """A StepProof and where it stands: pending, posted or voided."""

    __table_args__ = (UniqueConstraint("run", "number", "node"),)

    id: str = Field(primary_key=True)
    run: str
    number: int
    node: str
    payout: str
    work: int = large()
    gradient_blob: str
    beacon_block: int
    state: str = "pending"
    stage: int = 1
    stage_since: int
    opening_deadline: int | None = None
    accepted_since: int | None = None
    audited: bool = True
    disputed: list[int] = document()
    reason: int | None = None
    measured: int = units()
    limit: int = units()


class PanelRow(SQLModel, table=True):
    """The order in which verifiers take seats to read a proof, as its beacon drew it."""

    __tablename__ = "panel"

    proof: str = Field(primary_key=True)
    order: list[str] = document()


class Seat(SQLModel, table=True):
    """A verifier that reads a proof; later ones sat down when an earlier seat was vacated, or k could not agree."""

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    number: int
    since: int
    vacated: bool = False


class ChallengeRow(SQLModel, table=True):
    """A verifier's draw for one proof."""

    __tablename__ = "challenge"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    segments: list[int] = document()
    message: str


class OpeningRow(SQLModel, table=True):
    """A boundary that the node opened."""

    __tablename__ = "opening"

    proof: str = Field(primary_key=True)
    boundary: int = Field(primary_key=True)
    blob: str
    path: list[str] = document()
    message: str


class PledgeRow(SQLModel, table=True):
    """What a node owned up to when all had spoken: `fake` as in contracts/pledge.py."""

    __tablename__ = "pledge"

    proof: str = Field(primary_key=True)
    fake: int = large()
    message: str

    @property
    def canary(self) -> bool:
        """Whether a segment was bad on purpose."""
        return bool(self.fake != NO_SEGMENT)


class VerdictRow(SQLModel, table=True):
    """A verifier's outcome at one stage of a proof."""

    __tablename__ = "verdict"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    stage: int = Field(primary_key=True)
    outcome: int
    reason: int
    segment: int
    measured: int = units()
    limit: int = units()
    message: str


class MergeRow(SQLModel, table=True):
    """A verifier's outer step for one round."""

    __tablename__ = "merge"

    run: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    accepted: str
    theta: str
    momentum: str
    theta_blob: str
    momentum_blob: str
    held_out_loss: int = large()
    message: str


class Transfer(SQLModel, table=True):
    """One double entry; a pending one is finished by at most one Resolution."""

    id: str = Field(primary_key=True)
    book: str
    debit: str
    credit: str
    amount: int = units()
    pending: bool
    made: int


class Resolution(SQLModel, table=True):
    """The end of a pending transfer: posted or voided."""

    transfer: str = Field(primary_key=True)
    outcome: str
    made: int


class LogEntry(SQLModel, table=True):
    """A leaf of the transparency log: canonical JSON."""

    index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    body: str = Field(sa_column=Column(Text, nullable=False))


class Epoch(SQLModel, table=True):
    """An epoch's payout root; `state` follows the chain: closed, proposed, disputed, final."""

    number: int = Field(primary_key=True)
    run: str
    state: str = "closed"
    attempt: int = 0
    first_round: int
    last_round: int
    root: str
    total: int = units()
    count: int
    log_size: int
    log_root: str
    deadline: int


class PayoutRow(SQLModel, table=True):
    """One payee of an epoch."""

    __tablename__ = "payout"

    epoch: int = Field(primary_key=True)
    index: int = Field(primary_key=True)
    account: str
    kind: int
    amount: int = units()
    leaf: str = Field(unique=True)


class Cosignature(SQLModel, table=True):
    """A verifier's signature under a message that k of them bring to the chain, by the message's EIP-712 digest."""

    digest: str = Field(primary_key=True)
    signer: str = Field(primary_key=True)
    signature: str


class Outgoing(SQLModel, table=True):
    """A transaction of the relayer: queued, signed, mined, failed or refused. Nonce and bytes never change."""

    id: str = Field(primary_key=True)
    order: int = Field(unique=True)
    to: str
    data: str = Field(sa_column=Column(Text, nullable=False))
    value: int = units()
    state: str = "queued"
    nonce: int | None = Field(default=None, unique=True)
    raw: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    hash: str | None = None
    block: int | None = None
    error: str | None = None


class Cursor(SQLModel, table=True):
    """How far the indexer has read the final chain."""

    name: str = Field(primary_key=True)
    block: int
    hash: str


class ChainEvent(SQLModel, table=True):
    """A decoded event of a final block."""

    block: int = Field(primary_key=True)
    log_index: int = Field(primary_key=True)
    transaction: str
    contract: str
    name: str
    arguments: dict[str, Any] = document()


class DecisionRow(SQLModel, table=True):
    """A decision of the holders, in chain order; `outcome` says what the run that came to it last made of it."""

    __tablename__ = "decision"

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: str
    value: str
    block: int
    round: int | None = None
    outcome: str | None = None


class Proposal(SQLModel, table=True):
    """A proposal that came through the API."""

    id: str = Field(primary_key=True)
    proposer: str
    description: str
    decisions: list[list[str]] = document()
    executed: bool = False


class BallotRow(SQLModel, table=True):
    """A signed ballot that came through the API; support 0 against, 1 for, 2 abstain."""

    __tablename__ = "ballot"

    proposal: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    support: int
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
    "logentry",
    "payout",
    "cosignature",
    "chainevent",
    "ballot",
)
