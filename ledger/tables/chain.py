"""What goes to the chain, what was read from it, and what the holders decide there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field

from ledger.seals import SealedRow
from ledger.tables.columns import document, large, units


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
    """How far somebody has read: the indexer the final chain, the documents that people read the log."""

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
    """A decision of the holders, in chain order. What a run made of it stands in the log."""

    __tablename__ = "decision"

    sequence: int = large(primary_key=True)
    key: str
    value: str
    block: int = large()


class Proposal(SealedRow, table=True):
    """A proposal that came through the API; one that is `over` is asked about no more."""

    id: str = Field(primary_key=True)
    proposer: str
    description: str
    decisions: list[list[str]] = document()
    executed: bool = False
    over: bool = False


class BallotRow(SealedRow, table=True):
    """A signed ballot that came through the API; support 0 against, 1 for, 2 abstain."""

    __tablename__ = "ballot"

    proposal: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    support: int = large()
    signature: str
