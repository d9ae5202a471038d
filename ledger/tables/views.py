"""What people read: a document a run, a round and a proof, made anew from the log at any time (ledger/views/)."""

from __future__ import annotations

from typing import Any

from sqlmodel import Field, SQLModel

from ledger.tables.columns import document, large


class RunView(SQLModel, table=True):
    """A run as it is shown."""

    __tablename__ = "runview"

    run: str = Field(primary_key=True)
    body: dict[str, Any] = document()


class RoundView(SQLModel, table=True):
    """A round as it is shown."""

    __tablename__ = "roundview"

    run: str = Field(primary_key=True)
    number: int = large(primary_key=True)
    body: dict[str, Any] = document()


class ProofView(SQLModel, table=True):
    """A proof with everything that was said about it."""

    __tablename__ = "proofview"

    proof: str = Field(primary_key=True)
    run: str
    number: int = large()
    body: dict[str, Any] = document()
