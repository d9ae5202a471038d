"""Routes about the verifiers' own work and about appeals: reveals, faults, bisection moves, rulings."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from sqlmodel import Session, select

from api.access import get_ledger
from api.wire import CosignatureBody, Envelope
from contracts import messages
from contracts.bisection import Bisection
from contracts.faults import Fault
from contracts.messages import from_json
from ledger import appeals, cosign, node_faults, work_audit
from ledger.proofs import require_proof
from ledger.service import Ledger, envelopes
from ledger.tables import AppealRow, FaultRow, NodeFaultRow

router = APIRouter()


@router.post("/witnesses")
def bind(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """A verifier binds itself to what it computed, before its verdict."""
    message = from_json(messages.WorkWitness, body.message)
    work_audit.bind(ledger, message, body.signature_bytes())
    return {"verifier": message.verifier}


@router.post("/reveals")
def reveal(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """A verifier opens the trace that its witness was bound to."""
    message = from_json(messages.WorkReveal, body.message)
    work_audit.reveal(ledger, message, body.signature_bytes())
    return {"verifier": message.verifier}


@router.get("/runs/{run}/faults")
def list_faults(run: str, ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """What verifiers of this run are guilty of, by public messages alone."""
    with ledger.store.read() as session:
        return [_fault(ledger, session, row) for row in work_audit.faults(session, run)]


@router.post("/faults/signatures")
def sign_fault(body: CosignatureBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Another verifier found the same fault; k of them take the stake."""
    message = from_json(messages.VerifierFault, body.message)
    work_audit.sign_fault(ledger, message, body.signature_bytes(), body.signer)
    return {"verifier": message.verifier}


@router.get("/runs/{run}/node-faults")
def list_node_faults(run: str, ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """Nodes of this run that lose stake, and for which proof."""
    with ledger.store.read() as session:
        return [_node_fault(ledger, session, row) for row in node_faults.faults(session, run)]


@router.post("/node-faults/signatures")
def sign_node_fault(body: CosignatureBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """A verifier found the same in the signed verdicts; k of them take the stake."""
    message = from_json(messages.NodeFault, body.message)
    node_faults.sign(ledger, message, body.signature_bytes(), body.signer)
    return {"node": message.node}


@router.get("/runs/{run}/appeals")
def list_appeals(run: str, ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """All appeals of a run."""
    with ledger.store.read() as session:
        return [_appeal(ledger, session, row) for row in session.exec(select(AppealRow).where(AppealRow.run == run))]


@router.get("/appeals/{proof}")
def show_appeal(proof: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """One appeal: who owes which move."""
    with ledger.store.read() as session:
        return _appeal(ledger, session, appeals.require_appeal(session, proof))


@router.post("/appeals/moves")
def move(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, int]:
    """A party names its state in the middle."""
    message = from_json(messages.BisectionMove, body.message)
    appeals.move(ledger, message, body.signature_bytes())
    return {"step": message.step}


@router.post("/appeals/states")
def open_step(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, int]:
    """The node opens the last state that both agree on."""
    message = from_json(messages.StepOpening, body.message)
    appeals.open_step(ledger, message, body.signature_bytes())
    return {"step": message.step}


@router.post("/appeals/rulings")
def rule(body: CosignatureBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, bool]:
    """A panel member's word."""
    message = from_json(messages.AppealRuling, body.message)
    appeals.rule(ledger, message, body.signature_bytes(), body.signer)
    return {"upheld": message.upheld}


def _fault(ledger: Ledger, session: Session, row: FaultRow) -> dict[str, Any]:
    message = work_audit.fault_message(ledger, row)
    return {
        "proof": row.proof, "verifier": row.verifier, "fault": Fault(row.fault).slug, "evidence": row.evidence,
        "message": messages.to_json(message), "signatures": cosign.signers(ledger, session, message),
    }  # fmt: skip


def _node_fault(ledger: Ledger, session: Session, row: NodeFaultRow) -> dict[str, Any]:
    message = node_faults.fault_message(ledger, row)
    signed = cosign.signers(ledger, session, message)
    return {"proof": row.proof, "node": row.node, "message": messages.to_json(message), "signatures": signed}


def _appeal(ledger: Ledger, session: Session, row: AppealRow) -> dict[str, Any]:
    span, proof = Bisection(row.agreed, row.disputed), require_proof(session, row.proof)
    moves = appeals.moves(session, row.proof)
    said = envelopes(session, (m.message for m in moves))
    return {
        "proof": row.proof, "state": row.state, "node": proof.node, "appellant": row.appellant,
        "respondent": row.respondent, "segment": row.segment, "agreed": row.agreed, "disputed": row.disputed,
        "middle": None if span.over else span.middle, "silent": row.silent, "opening_blob": row.opening_blob,
        "deadline": row.deadline,
        "moves": [{"step": m.step, "party": m.party, "state": m.state, **said[m.message]} for m in moves],
        "rulings": appeals.rulings(ledger, session, row),
    }  # fmt: skip
