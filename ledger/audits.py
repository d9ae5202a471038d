"""How often a node's proofs are read: every one of them, or fewer as its record grows, if it holds a stake.

The rule is in contracts/audit_rate.py. A round fixes the rate of each of its nodes when it opens; the beacon of a proof
then throws the coin. What the coin spares is posted unread, once its node has opened its pledge.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from contracts.audit_rate import MILLION, AuditPolicy, Outcome, audit_rate, is_audited, outcome_of
from ledger import log
from ledger.service import Ledger
from ledger.tables import AppealRow, ChainEvent, PanelRow, Participant, PledgeRow, Proof, Run


def rates_ppm(session: Session, run: Run, nodes: Sequence[str], block: int) -> dict[str, int]:
    """The rates, in parts per million, of the nodes' proofs in the round that opens now, by their stakes at `block`.

    The block is final: what follows from a lower rate must not be taken back by a reorg, or nobody could audit the log.
    """
    floor, least = int(run.manifest["auditFloor"]), int(run.manifest["nodeStake"])
    if floor >= MILLION:
        return dict.fromkeys(nodes, MILLION)
    stakes, policy = _stakes_at(session, block), AuditPolicy(floor)
    trusted = [node for node in nodes if stakes.get(node, 0) >= least]
    return dict.fromkeys(nodes, MILLION) | {n: audit_rate(_outcomes(session, run.id, n), policy) for n in trusted}


def spare(ledger: Ledger, session: Session, proof: Proof, beacon: bytes) -> bool:
    """Throw the coin of a proof; whether nobody has to read it."""
    rate = session.get_one(Participant, (proof.run, proof.number, proof.node)).rate
    if is_audited(beacon, bytes.fromhex(proof.id[2:]), rate):
        return False
    row = session.get_one(Proof, proof.id)
    row.audited, row.accepted_since = False, ledger.now()
    session.add(row)
    session.add(PanelRow(proof=proof.id, order=[]))
    session.flush()
    log.append(session, "proof-spared", proof=proof.id, beacon="0x" + beacon.hex(), rate=rate)
    return True


def _stakes_at(session: Session, block: int) -> dict[str, int]:
    """In wei by node, as the indexer has read them from final blocks."""
    changes = session.exec(
        select(ChainEvent)
        .where(ChainEvent.name == "NodeStakeChanged", col(ChainEvent.block) <= block)
        .order_by(col(ChainEvent.block), col(ChainEvent.log_index))
    )
    return {str(change.arguments["node"]): int(change.arguments["stake"]) for change in changes}


def _outcomes(session: Session, run: str, node: str) -> list[Outcome]:
    proofs = session.exec(select(Proof).where(Proof.run == run, Proof.node == node).order_by(col(Proof.number)))
    found = (_outcome(session, proof) for proof in proofs)
    return [outcome for outcome in found if outcome is not None]


def _outcome(session: Session, proof: Proof) -> Outcome | None:
    pledge, appeal = session.get(PledgeRow, proof.id), session.get(AppealRow, proof.id)
    excused = (pledge is not None and pledge.canary) or (appeal is not None and appeal.state == "upheld")
    return None if excused else outcome_of(proof.state, proof.audited, proof.reason)
