"""Tables of the machine's entries: closings of epochs, announced blobs, mirrors."""

from __future__ import annotations

from sqlalchemy import Column, Text
from sqlmodel import Field

from ledger.storage.seals import SealedRow
from ledger.storage.tables.columns import large, units


class ClosingRow(SealedRow, table=True):
    """An entry by which an epoch closed, first or anew; `settled_at` and `deadline` in chain time.

    The pay of each closing is pending from here on. The root that the chain makes final decides which pay is owed.
    `block` is the last one that was entered before: nothing of the epoch can be claimed in it.
    """

    __tablename__ = "closing"

    log_index: int = large(primary_key=True)
    epoch: int = large(index=True)
    attempt: int = large()
    root: str
    total: int = units()
    count: int = large()
    settled_at: int = large()
    deadline: int = large()
    block: int = large()


class AnnouncedRow(SealedRow, table=True):
    """A blob that an entered message names: `digest` has 64 hex digits, `message` is 0x-hex, `author` an address."""

    __tablename__ = "announced"

    digest: str = Field(primary_key=True)
    message: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    size: int = large(primary_key=True)
    run: str = Field(index=True)
    round: int = large()
    author: str


class MirrorRow(SealedRow, table=True):
    """The address of a verifier's mirror, by its newest message; `text` as it was signed."""

    __tablename__ = "mirror"

    verifier: str = Field(primary_key=True)
    url: str
    sequence: int = units()
    digest: str
    text: str = Field(sa_column=Column(Text, nullable=False))
