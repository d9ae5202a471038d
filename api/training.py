"""Routes of a run: manifests, nodes, verifiers, rounds, proofs, challenges, openings, verdicts, merges."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from sqlmodel import select

from api import views
from api.access import get_ledger
from api.wire import Envelope, MergeBody, NodeBody, Number, OpeningBody, ProofBody, RunBody, octets
from contracts import messages
from contracts.draw import boundaries_to_open
from contracts.errors import BadField
from contracts.messages import from_json
from ledger import enrolment, log, merges, pledges, proofs, verdicts
from ledger.errors import NotFound
from ledger.service import Ledger
from ledger.tables import Round, Run

router = APIRouter()


@router.post("/runs")
def create_run(body: RunBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Create a run."""
    message = from_json(messages.RunManifest, body.message)
    return {"run": enrolment.create_run(ledger, message, body.signature_bytes(), body.config, body.genesis_blob)}


@router.get("/runs")
def list_runs(ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """All runs, a line each."""
    with ledger.store.read() as session:
        return [{"run": r.id, "phase": r.phase, "round": r.round} for r in session.exec(select(Run))]


@router.get("/runs/{run}")
def show_run(run: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """One run."""
    with ledger.store.read() as session:
        return views.run(session, enrolment.require_run(session, run))


@router.get("/runs/{run}/rounds/{number}")
def show_round(run: str, number: Number, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """One round."""
    with ledger.store.read() as session:
        row = session.get(Round, (run, number))
        if row is None:
            raise NotFound(f"round {number} of run {run} has not opened")
        return views.round_(session, row)


@router.post("/runs/{run}/nodes")
def enrol(run: str, body: NodeBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Enrol a node."""
    message = from_json(messages.NodeEnrolment, body.message)
    _same_run(run, message.run)
    enrolment.enrol(ledger, message, body.signature_bytes(), body.from_round)
    return {"node": message.node}


@router.post("/runs/{run}/verifiers")
def anchor(run: str, body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Anchor a verifier's hash chain."""
    message = from_json(messages.DrawAnchor, body.message)
    _same_run(run, message.run)
    enrolment.anchor(ledger, message, body.signature_bytes())
    return {"verifier": message.verifier}


@router.post("/heartbeats")
def heartbeat(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, bool]:
    """Renew a lease."""
    enrolment.heartbeat(ledger, from_json(messages.Heartbeat, body.message), body.signature_bytes())
    return {"alive": True}


@router.post("/proofs")
def submit(body: ProofBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """Commit to a round's work."""
    commitment = proofs.Commitment(
        from_json(messages.StepProof, body.message),
        body.signature_bytes(),
        body.gradient_blob,
        [octets(node) for node in body.first_path],
        [octets(node) for node in body.last_path],
    )
    proof = proofs.submit(ledger, commitment)
    with ledger.store.read() as session:
        return {"proof": proof, "receipt": log.head(ledger, session)}


@router.get("/proofs/{proof}")
def show_proof(proof: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """One proof with draws, openings and verdicts."""
    with ledger.store.read() as session:
        return views.proof(session, proofs.require_proof(session, proof))


@router.get("/proofs/{proof}/status")
def show_status(proof: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """Where a proof stands, and which boundaries its node is asked to open."""
    with ledger.store.read() as session:
        return views.proof_status(session, proofs.require_proof(session, proof))


@router.post("/challenges")
def challenge(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """Ask for the openings that beacon and hash chain call for."""
    row = proofs.challenge(ledger, from_json(messages.Challenge, body.message), body.signature_bytes())
    with ledger.store.read() as session:
        last = views.proof(session, proofs.require_proof(session, row.proof))["segments"]
    return {"segments": row.segments, "boundaries": list(boundaries_to_open(row.segments, last))}


@router.post("/openings")
def open_boundary(body: OpeningBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, int]:
    """Open a boundary."""
    message = from_json(messages.Opening, body.message)
    path = [octets(node) for node in body.path]
    proofs.open_boundary(ledger, message, body.signature_bytes(), message.blob.hex(), path)
    return {"boundary": message.boundary}


@router.post("/pledges")
def open_pledge(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Open what the proof's node pledged: honest work, or a canary."""
    message = from_json(messages.PledgeOpening, body.message)
    pledges.open_pledge(ledger, message, body.signature_bytes())
    return {"proof": "0x" + message.proof.hex()}


@router.post("/verdicts")
def verdict(body: Envelope, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Give a verdict."""
    message = from_json(messages.Verdict, body.message)
    verdicts.submit(ledger, message, body.signature_bytes())
    return {"verifier": message.verifier}


@router.post("/merges")
def merge(body: MergeBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, int]:
    """Attest to a round's outer step."""
    message = from_json(messages.MergeAttestation, body.message)
    merges.submit(ledger, message, body.signature_bytes(), body.theta_blob, body.momentum_blob)
    return {"round": message.round}


def _same_run(path: str, signed: bytes) -> None:
    if path != "0x" + signed.hex():
        raise BadField("the message is for another run than the path")
