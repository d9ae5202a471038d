"""Every document that a server keeps for its readers, held against the class that its route promises."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from sqlmodel import Session, select

from contracts.messages.signatures import Domain
from contracts.wire.proofs import Proof
from contracts.wire.rounds import ProofLine, Round
from contracts.wire.runs import Credit, NodeLine, Run, TakenDecision, VerifierFaultLine
from ledger.context import Ledger
from ledger.storage.store import Store
from ledger.storage.tables import CreditView, FaultView, NodeView, ProofView, RoundView, RunView, TakenView
from ledger.views.projection import catch_up
from tests.wire import check_as

KINDS: dict[Any, Any] = {
    RunView: Run,
    ProofView: Proof,
    NodeView: NodeLine,
    TakenView: TakenDecision,
    CreditView: Credit,
    FaultView: VerifierFaultLine,
}


def check_documents(store: Store, domain: Domain) -> int:
    """How many there are. Raises AssertionError and ValidationError."""
    catch_up(cast(Ledger, SimpleNamespace(store=store, chain=SimpleNamespace(domain=domain))))
    with store.read() as session:
        return _alone(session) + _rounds(session)


def _alone(session: Session) -> int:
    rows = [(kind, row.body) for table, kind in KINDS.items() for row in session.exec(select(table))]
    for kind, body in rows:
        check_as(kind, body)
    return len(rows)


def _rounds(session: Session) -> int:
    """A round's answer has a line of each of its proofs."""
    proofs = {row.proof: row.body for row in session.exec(select(ProofView))}
    rounds = [row.body for row in session.exec(select(RoundView))]
    for body in rounds:
        lines = [{name: proofs[proof][name] for name in ProofLine.model_fields} for proof in body["proofs"]]
        check_as(Round, {**body, "proofs": lines})
    return len(rounds)
