"""Tables of the outbox, of the chain's events, and of governance."""

from __future__ import annotations

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field

from contracts.wire.states import CallState
from ledger.storage.seals import SealedRow
from ledger.storage.tables.columns import Document, document, large, only_where, units

OPEN_PROPOSALS = "NOT over AND state <> 'relaying'"
UNWEIGHED = "weight IS NULL"
"""Conditions of the open rows: proposals that the Governor has, and votes without a weight."""


class LeaseRow(SealedRow, table=True):
    """The holder of a job until `expires`; `token` grows with each new holder (ledger/relay/leases.py)."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    token: int = large()
    expires: int = large()


class Outgoing(SealedRow, table=True):
    """A pending transaction of the relayer: a call and its state (ledger/relay/call_state.py).

    `hash` is the attempt that is in block `block`, or else the newest; before `due` nothing is tried again, and at
    `sent` the bytes were last handed to a node (both Unix seconds). `tries` counts failures. `allowed` is the gas from
    an account's budget, 0 for the model's own calls.
    """

    __table_args__ = (UniqueConstraint("signer", "nonce"),)

    id: str = Field(primary_key=True)
    order: int = large(unique=True)
    to: str
    data: str = Field(sa_column=Column(Text, nullable=False))
    value: int = units()
    allowed: int = large(0)
    state: str = Field(default=CallState.QUEUED, index=True)
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
    block when it was made, and `token` the fencing token of the signer's lease.
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


FINAL = "final"
"""The cursor of the indexer (ledger/chainread/indexer.py)."""


class Cursor(SealedRow, table=True):
    """The position of a reader: of the indexer in the final chain, of the documents for people in the log."""

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
    arguments: Document = document()


class ChainEvent(SealedRow, table=True):
    """A decoded event of a final block."""

    block: int = large(primary_key=True)
    log_index: int = large(primary_key=True)
    transaction: str
    contract: str
    name: str
    arguments: Document = document()


class DecisionRow(SealedRow, table=True):
    """A decision of the holders, in chain order. Whether a run applied it is in the log."""

    __tablename__ = "decision"

    sequence: int = large(primary_key=True)
    key: str
    value: str
    block: int = large()


class Proposal(SealedRow, table=True):
    """A proposal of the Governor, made through the API or anywhere else; one that is `over` changes no more.

    `actions` are (target, value in wei, data) of each call, `hash` is keccak256 of the description's bytes, `snapshot`,
    `words` are the calls as people read them, made once, and `first_words` the beginning of the first for lists.
    `deadline` and `eta` are Unix seconds, `block` is of its creation. `state` is the Governor's as it was last
    read, `relaying` before a final block has the proposal; after `tries` looks that changed nothing the relayer looks
    `again` at that second. The counts are of `weighed` votes, by the API's own reading.
    """

    __table_args__ = (Index("ix_proposal_open", "again", **only_where(OPEN_PROPOSALS)),)

    id: str = Field(primary_key=True)
    proposer: str
    description: str = Field(sa_column=Column(Text, nullable=False))
    hash: str
    actions: list[list[str]] = document()
    call_count: int = large(0)
    words: list[str] = document(default_factory=list)
    first_words: str = ""
    state: str = "relaying"
    over: bool = False
    block: int | None = large(None)
    snapshot: int | None = large(None)
    deadline: int | None = large(None)
    eta: int | None = large(None)
    tries: int = large(0)
    again: int = large(0)
    against: int = units(0)
    in_favour: int = units(0)
    abstain: int = units(0)
    weighed: int = large(0)


class Vote(SealedRow, table=True):
    """A vote that the Governor counted, by its event; `weight` is its voter's past votes at the snapshot."""

    __table_args__ = (
        Index("ix_vote_order", "proposal", "block", "log_index"),
        Index("ix_vote_unweighed", "proposal", "voter", **only_where(UNWEIGHED)),
    )

    proposal: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    support: int = large()
    weight: int | None = units(None)
    block: int = large()
    log_index: int = large()


class DelegationRow(SealedRow, table=True):
    """The account to which an account lends its votes, by its newest final event."""

    __tablename__ = "delegation"
    __table_args__ = (Index("ix_delegation_to", "to", "delegator"),)

    delegator: str = Field(primary_key=True)
    to: str
    block: int = large()


class BallotRow(SealedRow, table=True):
    """A signed ballot that came through the API; support 0 against, 1 for, 2 abstain."""

    __tablename__ = "ballot"

    proposal: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    support: int = large()
    signature: str


class RelayDay(SealedRow, table=True):
    """The second (Unix) by which accounts are weighed on a Unix day, fixed by the day's first call."""

    __tablename__ = "relayday"

    day: int = large(primary_key=True)
    second: int = large()


class RelaySpending(SealedRow, table=True):
    """Gas that the relayer took on for an account on a day (Unix days).

    The account "" has everybody's sum, "small" the small holders' gas beyond their own shares.
    """

    __tablename__ = "relayspending"

    day: int = large(primary_key=True)
    account: str = Field(primary_key=True)
    gas: int = large(0)
