"""Suppliers' offers and verifiers' reports about them: claims that end, kept for readers, and no part of the log."""

from __future__ import annotations

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from ledger.storage.tables.columns import large


class HostOfferRow(SQLModel, table=True):
    """A supplier's newest offer; `text` as it was signed, `stands` whether its key has a stake or its host a report."""

    __tablename__ = "hostoffer"

    supplier: str = Field(primary_key=True)
    issued_at: int = large()
    expires_at: int = large(index=True)
    stands: bool
    text: str = Field(sa_column=Column(Text, nullable=False))


class HostReportRow(SQLModel, table=True):
    """A verifier's newest report about a supplier's host; `text` as it was signed."""

    __tablename__ = "hostreport"

    supplier: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    measured_at: int = large(index=True)
    text: str = Field(sa_column=Column(Text, nullable=False))
