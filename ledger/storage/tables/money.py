"""Tables of the journal, of the log, and of the epochs that are paid by them."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from contracts.wire.states import EpochStage
from ledger.storage.seals import SealedRow
from ledger.storage.tables.columns import large, only_where, sums, units

OPEN_EPOCHS = "state <> 'final'"
"""Condition of the epochs that the chain has not made final."""


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


class Balance(SealedRow, table=True):
    """The sums of an account in a book, over posted transfers, updated with each (ledger/books/journal.py)."""

    book: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    credited: int = sums()
    debited: int = sums()


class LogEntry(SQLModel, table=True):
    """A leaf of the transparency log: canonical JSON.

    The leaf is stored under `subject`: a message's digest, or the proof of a derived entry.
    """

    index: int = large(primary_key=True)
    body: str = Field(sa_column=Column(Text, nullable=False))
    subject: str | None = Field(default=None, index=True)


class LogNode(SQLModel, table=True):
    """The hash (32 bytes) of a complete subtree of the log, under its number (contracts/merkle/stored_tree.py)."""

    number: int = large(primary_key=True)
    hash: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))


class Epoch(SealedRow, table=True):
    """An epoch's payout root; `state` follows the chain: closed, proposed, disputed, final.

    `settled_at` is the chain time until which all rounds are settled; `ours` says of a final one whether its
    root is one that follows from the log.
    """

    __table_args__ = (
        Index("ix_epoch_open", "number", **only_where(OPEN_EPOCHS)),
        Index("ix_epoch_run", "run", "number"),
        Index("ix_epoch_rounds", "run", "last_round", "number"),
    )

    number: int = large(primary_key=True)
    run: str
    state: str = EpochStage.CLOSED
    attempt: int = large(0)
    first_round: int = large()
    last_round: int = large()
    root: str
    total: int = units()
    count: int = large()
    log_size: int = large()
    log_root: str
    settled_at: int = large()
    deadline: int = large()
    ours: bool | None = None


class PayoutRow(SealedRow, table=True):
    """One payee of an epoch."""

    __tablename__ = "payout"
    __table_args__ = (Index("ix_payout_account", "account", "epoch"),)

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
