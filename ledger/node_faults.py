"""A node whose proof was rejected for a reason that costs stake: k verifiers sign it, and the chain takes the stake.

It waits until the node has had its time to appeal, and for the end of an appeal. A canary is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from contracts.audit_rate import MILLION
from contracts.faults import COSTS_STAKE
from contracts.messages import NodeFault
from ledger import absences, cosign, log, outbox
from ledger.enrolment import require_run
from ledger.errors import BindingMismatch, NotFound, RoundClosed
from ledger.service import Ledger
from ledger.tables import AppealRow, NodeFaultRow, PledgeRow, Proof, Resolution, Run


def list_due(ledger: Ledger) -> None:
    """List what has become certain, in runs that ask their nodes for a stake."""
    with ledger.store.read() as session:
        due = [proof.id for proof in _candidates(session) if _is_certain(ledger, session, proof)]
    for proof_id in due:
        with ledger.store.write() as session:
            proof = session.get_one(Proof, proof_id)
            if session.get(NodeFaultRow, proof_id) is None and _is_certain(ledger, session, proof):
                deadline = ledger.now() + cosign.ON_CHAIN_SECONDS
                session.add(NodeFaultRow(proof=proof_id, node=proof.node, run=proof.run, deadline=deadline))
                log.append(session, "node-fault", proof=proof_id, node=proof.node, deadline=deadline)


def sign(ledger: Ledger, message: NodeFault, signature: bytes, signer: str) -> None:
    """Take a verifier's word for a listed fault; k of them go to the chain."""
    name = cosign.check(ledger, message, signature, signer)
    with ledger.store.write() as session:
        row = session.get(NodeFaultRow, "0x" + message.proof.hex())
        if row is None:
            raise NotFound(f"no fault of a node is listed for proof 0x{message.proof.hex()}")
        if message != fault_message(ledger, row):
            raise BindingMismatch("model, node or deadline is not the listed fault's")
        if not _is_certain(ledger, session, session.get_one(Proof, row.proof)):
            raise RoundClosed("an appeal, or the pledge of a canary, has come since the fault was listed")
        signed = cosign.collect(ledger, session, message, signature, name)
        if signed:
            outbox.enqueue(session, f"slash-node:{row.proof}", ledger.chain.nodes.slash(message, signed))


def fault_message(ledger: Ledger, row: NodeFaultRow) -> NodeFault:
    """What verifiers sign about a listed fault."""
    return NodeFault(ledger.chain.model, row.node, bytes.fromhex(row.proof[2:]), row.deadline)


def faults(session: Session, run: str) -> list[NodeFaultRow]:
    """All that are listed for a run."""
    return list(session.exec(select(NodeFaultRow).where(NodeFaultRow.run == run)))


def _candidates(session: Session) -> Iterator[Proof]:
    staked = [run.id for run in session.exec(select(Run)) if int(run.manifest["auditFloor"]) < MILLION]
    if not staked:
        return iter(())
    listed = select(NodeFaultRow.proof)
    return iter(
        session.exec(
            select(Proof).where(
                Proof.state == "voided", col(Proof.run).in_(staked), col(Proof.id).not_in(listed),
                col(Proof.reason).in_([int(reason) for reason in COSTS_STAKE]),
            )
        )
    )  # fmt: skip


def _is_certain(ledger: Ledger, session: Session, proof: Proof) -> bool:
    pledge, appeal = session.get(PledgeRow, proof.id), session.get(AppealRow, proof.id)
    if pledge is not None and pledge.canary:
        return False
    if appeal is not None:
        return appeal.state == "dismissed"
    patience = int(require_run(session, proof.run).manifest["phaseSeconds"])
    return absences.waited(ledger, session, session.get_one(Resolution, proof.id).made) > patience
