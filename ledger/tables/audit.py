"""Tables about the verifiers themselves: what they reveal of their work, what they are found guilty of, and appeals."""

from __future__ import annotations

from sqlmodel import Field

from ledger.seals import SealedRow
from ledger.tables.columns import large


class WitnessRow(SealedRow, table=True):
    """What a verifier bound itself to before the proof was decided."""

    __tablename__ = "witness"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    witness: str
    message: str


class WorkAuditRow(SealedRow, table=True):
    """The verifiers' work on this proof has been looked at."""

    __tablename__ = "workaudit"

    proof: str = Field(primary_key=True)
    made: int = large()


class RevealRow(SealedRow, table=True):
    """A verifier's trace of the common segment, opened after the proof was decided."""

    __tablename__ = "reveal"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    trace: str
    message: str


class FaultRow(SealedRow, table=True):
    """What a verifier is guilty of by the public messages about one proof; `fault` as in contracts/faults.py."""

    __tablename__ = "fault"

    proof: str = Field(primary_key=True)
    verifier: str = Field(primary_key=True)
    fault: int = large(primary_key=True)
    run: str
    evidence: str
    deadline: int = large()


class NodeFaultRow(SealedRow, table=True):
    """A node that loses stake for a voided proof."""

    __tablename__ = "nodefault"

    proof: str = Field(primary_key=True)
    node: str
    run: str
    deadline: int = large()


class AppealRow(SealedRow, table=True):
    """An appeal against the voiding of a proof: bisecting, opening, panel, then upheld or dismissed.

    `agreed` and `disputed` are inner steps of the round; `silent` names the party whose time ran out, if one's did.
    """

    __tablename__ = "appeal"

    proof: str = Field(primary_key=True)
    run: str
    appellant: str
    respondent: str
    segment: int = large()
    agreed: int = large()
    disputed: int = large()
    state: str = "bisecting"
    since: int = large()
    deadline: int = large()
    silent: str | None = None
    opening_blob: str | None = None
    decided_round: int | None = large(None)


class MoveRow(SealedRow, table=True):
    """One move of a bisection."""

    __tablename__ = "move"

    proof: str = Field(primary_key=True)
    step: int = large(primary_key=True)
    party: str = Field(primary_key=True)
    state: str
    message: str
