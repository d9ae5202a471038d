"""What readers see of rows, as plain JSON. Amounts are decimal strings, digests 0x-hex."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlmodel import Session, select

from contracts.reasons import Reason
from contracts.run_config import RunConfig
from ledger import cosign, epochs, merges, panels, proofs
from ledger.service import Ledger, envelopes
from ledger.tables import (
    ChallengeRow,
    Epoch,
    Node,
    OpeningRow,
    Outgoing,
    Participant,
    PayoutRow,
    PledgeRow,
    Proof,
    RevealRow,
    Round,
    Run,
    VerdictRow,
    WitnessRow,
)


def network(ledger: Ledger, max_blob_bytes: int) -> dict[str, Any]:
    """Chain, contracts and verifiers."""
    registry = ledger.chain.registry
    return {
        "chain_id": ledger.chain.deployment.chain_id,
        "deployment": asdict(ledger.chain.deployment),
        "operator": ledger.operator.address,
        "verifiers": registry.verifiers(),
        "threshold": registry.threshold(),
        "max_blob_bytes": max_blob_bytes,
    }


def run(session: Session, row: Run) -> dict[str, Any]:
    """A run and its nodes."""
    nodes = session.exec(select(Node).where(Node.run == row.id)).all()
    listed = [{"node": n.node, "payout": n.payout, "from_round": n.from_round, "active": n.active} for n in nodes]
    return {
        "run": row.id, "manifest": row.manifest, "config": row.config, "phase": row.phase, "round": row.round,
        "nodes": listed, "genesis_blob": row.genesis_blob,
    }  # fmt: skip


def round_(session: Session, row: Round) -> dict[str, Any]:
    """A round: what it starts from, who takes part, their proofs, and what came out."""
    members = session.exec(select(Participant).where(Participant.run == row.run, Participant.number == row.number))
    return {
        "run": row.run, "round": row.number, "phase": row.phase, "config": row.config,
        "config_digest": row.config_digest, "data_seed": row.data_seed,
        "theta": {"digest": row.theta, "blob": row.theta_blob},
        "momentum": {"digest": row.momentum, "blob": row.momentum_blob},
        "nodes": [_participant(m) for m in sorted(members, key=lambda m: m.node.lower())],
        "proofs": [proof_line(p) for p in proofs.round_proofs(session, row.run, row.number)],
        "merge": _merge(session, row),
    }  # fmt: skip


def proof_line(row: Proof) -> dict[str, Any]:
    """A proof in one line."""
    return {
        "proof": row.id, "round": row.number, "node": row.node, "payout": row.payout, "work": row.work,
        "state": row.state, "stage": row.stage, "audited": row.audited,
        "reason": None if row.reason is None else Reason(row.reason).slug,
        "measured": str(row.measured), "limit": str(row.limit),
    }  # fmt: skip


def proof(session: Session, row: Proof) -> dict[str, Any]:
    """A proof with everything that was said about it."""
    run_row, current = session.get_one(Run, row.run), session.get_one(Round, (row.run, row.number))
    openings = session.exec(select(OpeningRow).where(OpeningRow.proof == row.id)).all()
    draws = session.exec(select(ChallengeRow).where(ChallengeRow.proof == row.id)).all()
    verdicts = session.exec(select(VerdictRow).where(VerdictRow.proof == row.id)).all()
    bound = session.exec(select(WitnessRow).where(WitnessRow.proof == row.id)).all()
    revealed = session.exec(select(RevealRow).where(RevealRow.proof == row.id)).all()
    pledge = session.get(PledgeRow, row.id)
    heard = [*(o.message for o in openings), *(c.message for c in draws), *(v.message for v in verdicts)]
    heard += [*(w.message for w in bound), *(r.message for r in revealed), *([pledge.message] if pledge else [])]
    said = envelopes(session, [row.id, *heard])
    return {
        **proof_line(row), **said[row.id], **proofs.end_paths(session, row.id),
        "run": row.run, "beacon_block": row.beacon_block,
        "segments": RunConfig.from_json(current.config).segments, "samples": run_row.manifest["samples"],
        "disputed": row.disputed, "gradient_blob": row.gradient_blob, "opening_deadline": row.opening_deadline,
        "openings": {str(o.boundary): {"blob": o.blob, "path": o.path, **said[o.message]} for o in openings},
        "panel": [seat.verifier for seat in panels.seats(session, row)],
        "pledge": said[pledge.message] if pledge else None,
        "challenges": [{**said[c.message], "segments": c.segments} for c in draws],
        "verdicts": [said[v.message] for v in verdicts],
        "witnesses": [said[w.message] for w in bound], "reveals": [said[r.message] for r in revealed],
    }  # fmt: skip


def proof_status(session: Session, row: Proof) -> dict[str, Any]:
    """What node and verifiers ask often: where a proof stands, and which boundaries are opened or still wanted."""
    opened = sorted(session.exec(select(OpeningRow.boundary).where(OpeningRow.proof == row.id)))
    voted = session.exec(select(VerdictRow.verifier).where(VerdictRow.proof == row.id, VerdictRow.stage == row.stage))
    wanted = sorted(set(proofs.asked_boundaries(session, row)) - set(opened)) if row.state == "pending" else []
    awaited = row.state == "pending" and row.accepted_since is not None
    pledge_wanted = awaited and session.get(PledgeRow, row.id) is None
    return {
        **proof_line(row), "opened": opened, "wanted": wanted, "opening_deadline": row.opening_deadline,
        "panel": [seat.verifier for seat in panels.seats(session, row)], "voted": list(voted),
        "pledge_wanted": pledge_wanted,
    }  # fmt: skip


def epoch(ledger: Ledger, session: Session, row: Epoch) -> dict[str, Any]:
    """An epoch with its signers."""
    signed = cosign.signers(ledger, session, epochs.root_message(ledger, row))
    return {
        "epoch": row.number, "run": row.run, "state": row.state, "attempt": row.attempt,
        "first_round": row.first_round, "last_round": row.last_round, "root": row.root, "total": str(row.total),
        "count": row.count, "log_size": row.log_size, "log_root": row.log_root, "deadline": row.deadline,
        "signatures": signed,
    }  # fmt: skip


def payout(line: PayoutRow) -> dict[str, Any]:
    """A payee's line."""
    return {
        "index": line.index, "account": line.account, "kind": line.kind, "amount": str(line.amount), "leaf": line.leaf,
    }  # fmt: skip


def outgoing(row: Outgoing, hashes: list[str]) -> dict[str, Any]:
    """A call of the relayer; any of its hashes may be the one that is mined, `hash` is or is the newest."""
    return {
        "id": row.id, "state": row.state, "nonce": row.nonce, "hash": row.hash, "block": row.block, "error": row.error,
        "tries": row.tries, "hashes": hashes,
    }  # fmt: skip


def _participant(row: Participant) -> dict[str, Any]:
    inner = {"digest": row.inner_digest, "proof": row.inner_proof}
    return {
        "node": row.node,
        "payout": row.payout,
        "lapsed": row.lapsed,
        "step": row.step,
        "rate": row.rate,
        "inner": inner,
    }


def _merge(session: Session, row: Round) -> dict[str, Any] | None:
    given = merges.attestations(session, row.run, row.number)
    if row.phase != "closed" or not given:
        return None
    agreed = merges.agreed(session, row.run, row.number, 1)
    assert agreed is not None
    losses = {m.verifier: m.held_out_loss for m in given}
    return {"theta": agreed.theta, "theta_blob": agreed.theta_blob, "momentum": agreed.momentum,
            "momentum_blob": agreed.momentum_blob, "accepted": agreed.accepted, "held_out_loss": losses}  # fmt: skip
