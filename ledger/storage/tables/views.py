"""Documents for people: one a run, a round and a proof, made anew from the log at any time (ledger/views/).

Nodes, decisions, contributions and faults have rows of their own, in pages: a run's document stays small.
"""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from ledger.storage.tables.columns import Document, document, large


class RunView(SQLModel, table=True):
    """A run as it is shown."""

    __tablename__ = "runview"

    run: str = Field(primary_key=True)
    body: Document = document()


class RoundView(SQLModel, table=True):
    """A round as it is shown; `entry` of the log opened it."""

    __tablename__ = "roundview"
    __table_args__ = (Index("ix_roundview_entry", "run", "entry"),)

    run: str = Field(primary_key=True)
    number: int = large(primary_key=True)
    entry: int = large()
    body: Document = document()


class ProofView(SQLModel, table=True):
    """A proof with all verdicts and entries about it."""

    __tablename__ = "proofview"
    __table_args__ = (Index("ix_proofview_round", "run", "number", "proof"),)

    proof: str = Field(primary_key=True)
    run: str
    number: int = large()
    body: Document = document()


class NodeView(SQLModel, table=True):
    """A node of a run, as it enrolled last."""

    __tablename__ = "nodeview"

    run: str = Field(primary_key=True)
    node: str = Field(primary_key=True)
    body: Document = document()


class TakenView(SQLModel, table=True):
    """A run's answer to a decision, by its entry."""

    __tablename__ = "takenview"
    __table_args__ = (Index("ix_takenview_sequence", "sequence", "run"),)

    run: str = Field(primary_key=True)
    entry: int = large(primary_key=True)
    sequence: int = large()
    body: Document = document()


class CreditView(SQLModel, table=True):
    """A contribution that a run credited, by its entry."""

    __tablename__ = "creditview"

    run: str = Field(primary_key=True)
    entry: int = large(primary_key=True)
    body: Document = document()


class FaultView(SQLModel, table=True):
    """A verifier's fault in a run, by its entry."""

    __tablename__ = "faultview"

    run: str = Field(primary_key=True)
    entry: int = large(primary_key=True)
    body: Document = document()
