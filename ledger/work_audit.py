"""Did the verifiers do their work? They reveal the traces that they bound themselves to; who cannot is at fault.

A fault follows from public messages alone (contracts/faults.py). The ledger only lists it: k other verifiers, who found
the same by themselves, sign it, and the contract takes the stake.
"""

from __future__ import annotations

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.faults import Fault, evidence_of, passed_fakes, proven_fakes, trace_faults, witness_of
from contracts.messages import VerifierFault, WorkReveal, WorkWitness, to_json
from contracts.reasons import ACCEPT
from ledger import absences, cosign, log, outbox, panels
from ledger.enrolment import require_run
from ledger.errors import AlreadyDecided, BindingMismatch, NotFound, NotVerifier, RoundClosed, TooEarly
from ledger.proofs import require_proof
from ledger.service import Ledger
from ledger.tables import (
    ChallengeRow,
    FaultRow,
    Proof,
    Resolution,
    RevealRow,
    Round,
    VerdictRow,
    WitnessRow,
    WorkAuditRow,
)


def bind(ledger: Ledger, message: WorkWitness, signature: bytes) -> None:
    """Record a verifier's witness while the proof is pending; it cannot be changed."""
    key = ledger.check(message, signature, message.verifier)
    name, proof_id = to_checksum_address(message.verifier), "0x" + message.proof.hex()
    with ledger.store.write() as session:
        proof = require_proof(session, proof_id)
        known = session.get(WitnessRow, (proof_id, name))
        if known is not None and known.witness == "0x" + message.witness.hex():
            return
        if known is not None:
            raise AlreadyDecided(f"{name} is bound to another witness on {proof_id}")
        panels.require_seat(session, proof, name)
        if proof.state != "pending":
            raise RoundClosed(f"proof {proof_id} is {proof.state}; witnesses come before the decision")
        ledger.keep(session, message, signature, name, key)
        session.add(WitnessRow(proof=proof_id, verifier=name, witness="0x" + message.witness.hex(), message=key))
        log.append(session, "work-witness", message=to_json(message), signature="0x" + signature.hex())


def reveal(ledger: Ledger, message: WorkReveal, signature: bytes) -> None:
    """Record a trace that fits the witness in its verifier's verdict, once the proof is decided."""
    key = ledger.check(message, signature, message.verifier)
    name, proof_id = to_checksum_address(message.verifier), "0x" + message.proof.hex()
    with ledger.store.write() as session:
        proof = require_proof(session, proof_id)
        if session.get(RevealRow, (proof_id, name)) is not None:
            return
        bound = session.get(WitnessRow, (proof_id, name))
        if bound is None:
            raise NotVerifier(f"{name} bound itself to no witness on {proof_id}")
        if proof.state == "pending":
            raise TooEarly("traces are revealed when the proof is decided, so that nobody can copy one")
        if session.get(WorkAuditRow, proof_id) is not None:
            raise RoundClosed("the time to reveal is over")
        if witness_of(name, message.proof, message.trace) != bytes.fromhex(bound.witness[2:]):
            raise BindingMismatch("the trace is not the one in the witness")
        ledger.keep(session, message, signature, name, key)
        session.add(RevealRow(proof=proof_id, verifier=name, trace="0x" + message.trace.hex(), message=key))
        log.append(session, "work-revealed", message=to_json(message), signature="0x" + signature.hex())


def audit_decided(ledger: Ledger) -> None:
    """List the faults of every decided proof whose verifiers have all revealed, or have had their time."""
    with ledger.store.read() as session:
        audited = select(WorkAuditRow.proof)
        waiting = select(Proof).where(Proof.state != "pending", col(Proof.id).not_in(audited))
        due = [p.id for p in session.exec(waiting) if _is_due(ledger, session, p)]
    for proof_id in due:
        with ledger.store.write() as session:
            proof = require_proof(session, proof_id)
            if session.get(WorkAuditRow, proof_id) is None:
                threshold = session.get_one(Round, (proof.run, proof.number)).threshold
                _audit(ledger, session, proof, threshold)


def sign_fault(ledger: Ledger, message: VerifierFault, signature: bytes, signer: str) -> None:
    """Take another verifier's word for a listed fault; k of them go to the chain."""
    name = cosign.check(ledger, message, signature, signer, message.verifier)
    with ledger.store.write() as session:
        row = _listed(session, message, to_checksum_address(message.verifier))
        if message != fault_message(ledger, row):
            raise BindingMismatch("model or deadline is not the listed fault's")
        signed = cosign.collect(ledger, session, message, signature, name)
        if signed:
            call = ledger.chain.registry.punish(message, signed)
            outbox.enqueue(session, f"punish:{row.evidence}:{row.verifier}", call)


def fault_message(ledger: Ledger, row: FaultRow) -> VerifierFault:
    """What the others sign about a listed fault."""
    return VerifierFault(ledger.chain.model, row.verifier, bytes.fromhex(row.evidence[2:]), row.deadline)


def faults(session: Session, run: str) -> list[FaultRow]:
    """All faults listed for a run."""
    return list(session.exec(select(FaultRow).where(FaultRow.run == run)))


def _is_due(ledger: Ledger, session: Session, proof: Proof) -> bool:
    if not _witnesses(session, proof).keys() - _revealed(session, proof).keys():
        return True
    patience = int(require_run(session, proof.run).manifest["phaseSeconds"])
    return absences.waited(ledger, session, session.get_one(Resolution, proof.id).made) > patience


def _audit(ledger: Ledger, session: Session, proof: Proof, threshold: int) -> None:
    found = trace_faults(_witnesses(session, proof), _revealed(session, proof), threshold)
    listed = {(verifier, fault) for verifier, fault in found.items()}
    listed |= set(_passed(session, proof, threshold).items())
    for verifier, fault in sorted(listed):
        _list_fault(ledger, session, proof, verifier, fault)
    session.add(WorkAuditRow(proof=proof.id, made=ledger.now()))


def _passed(session: Session, proof: Proof, threshold: int) -> dict[str, Fault]:
    rows = session.exec(select(VerdictRow).where(VerdictRow.proof == proof.id)).all()
    fakes = proven_fakes(((r.stage, r.outcome, r.reason, r.segment) for r in rows), threshold)
    accepted = {r.verifier for r in rows if r.stage == 1 and r.outcome == ACCEPT}
    draws = session.exec(select(ChallengeRow).where(ChallengeRow.proof == proof.id))
    drawn = {row.verifier: row.segments for row in draws if row.verifier in accepted}
    return passed_fakes(drawn, fakes)


def _list_fault(ledger: Ledger, session: Session, proof: Proof, verifier: str, fault: Fault) -> None:
    evidence = "0x" + evidence_of(bytes.fromhex(proof.id[2:]), fault).hex()
    deadline = ledger.now() + cosign.ON_CHAIN_SECONDS
    session.add(
        FaultRow(
            proof=proof.id, verifier=verifier, fault=int(fault), run=proof.run, evidence=evidence, deadline=deadline
        )
    )
    log.append(
        session, "verifier-fault", proof=proof.id, verifier=verifier, fault=fault.slug, evidence=evidence,
        deadline=deadline,
    )  # fmt: skip


def _witnesses(session: Session, proof: Proof) -> dict[str, bytes]:
    """Witnesses by verifier; empty for one who accepted at first reading without any."""
    bound = session.exec(select(WitnessRow).where(WitnessRow.proof == proof.id))
    found = {row.verifier: bytes.fromhex(row.witness[2:]) for row in bound}
    accepts = select(VerdictRow.verifier).where(
        VerdictRow.proof == proof.id, VerdictRow.stage == 1, VerdictRow.outcome == ACCEPT
    )
    return dict.fromkeys(session.exec(accepts), b"") | found


def _revealed(session: Session, proof: Proof) -> dict[str, bytes]:
    rows = session.exec(select(RevealRow).where(RevealRow.proof == proof.id))
    return {row.verifier: bytes.fromhex(row.trace[2:]) for row in rows}


def _listed(session: Session, message: VerifierFault, accused: str) -> FaultRow:
    evidence = "0x" + message.evidence.hex()
    found = session.exec(select(FaultRow).where(FaultRow.evidence == evidence, FaultRow.verifier == accused)).first()
    if found is None:
        raise NotFound(f"no fault of {accused} with evidence {evidence}")
    return found
