"""The clock of a run: rounds open, lose nodes whose lease lapsed, are verified, merged and closed.

`advance` is a function of database, time and chain; running it again, or twice at once, changes nothing more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from contracts.draw import data_seed, seed_origin
from contracts.messages import RunManifest, from_json
from contracts.run_config import InvalidRunConfig, RunConfig
from ledger import absences, audits, epochs, log, merges, panels, verdicts
from ledger.enrolment import config_digest
from ledger.indexer import BATCH
from ledger.proofs import round_proofs
from ledger.service import Ledger
from ledger.tables import Anchor, Cursor, DecisionRow, Node, PanelRow, Participant, Proof, Round, Run

logger = logging.getLogger(__name__)


def advance_all(ledger: Ledger) -> None:
    """Move every run as far as it can go. What fails in one run is raised when the others have moved."""
    final = ledger.chain.final()
    with ledger.store.read() as session:
        runs = list(session.exec(select(Run.id)))
    failures: list[Exception] = []
    for run_id in runs:
        try:
            with ledger.store.write() as session:
                _advance(ledger, session, session.get_one(Run, run_id), final)
        except Exception as error:
            failures.append(error)
    for other in failures[1:]:
        logger.error("a run cannot go on", exc_info=other)
    if failures:
        raise failures[0]


def _advance(ledger: Ledger, session: Session, run: Run, final: int) -> None:
    if run.phase in ("enrolling", "complete"):
        _open_next(ledger, session, run, final)
        return
    current = session.get_one(Round, (run.id, run.round))
    if current.phase == "training":
        _lapse(ledger, session, run, current)
        _end_training(ledger, session, run, current)
    elif current.phase == "verifying":
        _end_verifying(ledger, session, run, current)
    elif current.phase == "merging":
        _end_merging(ledger, session, run, current, final)


def _open_next(ledger: Ledger, session: Session, run: Run, final: int) -> None:
    block = _block(session, run, final)
    if block is None:
        return
    config = _decide_config(session, run, RunConfig.from_json(run.config))
    number = run.round + 1
    if number > config.rounds:
        epochs.close_if_due(ledger, session, run)  # the holders may have made a round the last one after it ended
        return
    nodes = [n for n in _members(session, run) if n.from_round <= number]
    bench = panels.verifiers_at(session, block)
    anchored: list[str] = list(session.exec(select(Anchor.verifier).where(Anchor.run == run.id)))
    wanted = int(run.manifest["minNodes"]) if number == 1 else 1
    if len(nodes) < wanted or len(bench.members & set(anchored)) < bench.threshold:
        return
    start = _start(session, run)
    opened = Round(
        run=run.id, number=number, config=config.to_json(), config_digest=config_digest(config.to_json()),
        data_seed=_seed(run, number, start.theta), theta=start.theta, theta_blob=start.theta_blob,
        momentum=start.momentum, momentum_blob=start.momentum_blob, block=block, verifiers=sorted(bench.members),
        threshold=bench.threshold, opened=ledger.now(), phase_since=ledger.now(),
    )  # fmt: skip
    session.add(opened)
    rates = audits.rates_ppm(session, run, [node.node for node in nodes], block)
    for node in nodes:
        session.add(_participant(ledger, node, number, rates[node.node]))
    run.round, run.phase = number, "training"
    session.add(run)
    listed = [{"node": n.node, "payout": n.payout, "rate": rates[n.node]} for n in nodes]
    log.append(
        session, "round-opened", run=run.id, round=number, theta=opened.theta, momentum=opened.momentum,
        config=opened.config, config_digest=opened.config_digest, data_seed=opened.data_seed, nodes=listed,
        block=block,
    )  # fmt: skip


def _block(session: Session, run: Run, final: int) -> int | None:
    """The final block that the next round opens on: verifiers, k and stakes are those of then; None to wait.

    It is never older than a beacon that was drawn with, so that no operator can keep a round to verifiers of long ago;
    and while the indexer is still far behind the chain, what it has read is not what holds.
    """
    read = session.get(Cursor, "final")
    drawn = select(func.max(Proof.beacon_block)).where(Proof.run == run.id, col(Proof.id).in_(select(PanelRow.proof)))
    least = max(session.exec(drawn).one() or 0, final - BATCH)
    return read.block if read is not None and read.block >= least else None


def _lapse(ledger: Ledger, session: Session, run: Run, current: Round) -> None:
    lease, patience = int(run.manifest["leaseSeconds"]), int(run.manifest["phaseSeconds"])
    done = {proof.node for proof in round_proofs(session, run.id, current.number)}
    late = absences.waited(ledger, session, current.opened) > patience
    for row in _participants(session, run.id, current.number):
        silent = absences.waited(ledger, session, row.seen) > lease
        if row.lapsed or row.node in done or not (silent or late):
            continue
        row.lapsed = True
        session.add(row)
        node = session.get_one(Node, (run.id, row.node))
        node.active = False
        session.add(node)
        log.append(session, "node-lapsed", run=run.id, round=current.number, node=row.node, step=row.step)


def _end_training(ledger: Ledger, session: Session, run: Run, current: Round) -> None:
    done = {proof.node for proof in round_proofs(session, run.id, current.number)}
    if any(not p.lapsed and p.node not in done for p in _participants(session, run.id, current.number)):
        return
    _enter(ledger, session, run, current, "verifying")


def _end_verifying(ledger: Ledger, session: Session, run: Run, current: Round) -> None:
    proofs = round_proofs(session, run.id, current.number)
    for proof in proofs:
        verdicts.decide(ledger, session, proof)
    if all(proof.state != "pending" for proof in proofs):
        _enter(ledger, session, run, current, "merging")


def _end_merging(ledger: Ledger, session: Session, run: Run, current: Round, final: int) -> None:
    chosen = merges.agreed(session, run.id, current.number, current.threshold)
    if chosen is None:
        return
    merges.log_merge(session, chosen)
    _enter(ledger, session, run, current, "closed")
    run.phase = "complete"
    session.add(run)
    epochs.close_if_due(ledger, session, run)
    _open_next(ledger, session, run, final)


def _enter(ledger: Ledger, session: Session, run: Run, current: Round, phase: str) -> None:
    current.phase, current.phase_since = phase, ledger.now()
    session.add(current)
    run.phase = phase if phase != "closed" else run.phase
    session.add(run)


@dataclass(frozen=True)
class _Start:
    """Weights and outer momentum that a round begins from."""

    theta: str
    theta_blob: str
    momentum: str
    momentum_blob: str


def _start(session: Session, run: Run) -> _Start:
    if run.round == 0:
        return _Start(str(run.manifest["genesis"]), run.genesis_blob, run.momentum, run.momentum_blob)
    chosen = merges.agreed(session, run.id, run.round, session.get_one(Round, (run.id, run.round)).threshold)
    assert chosen is not None, "a round closes only on an agreed merge"
    return _Start(chosen.theta, chosen.theta_blob, chosen.momentum, chosen.momentum_blob)


def _decide_config(session: Session, run: Run, config: RunConfig) -> RunConfig:
    pending = session.exec(
        select(DecisionRow).where(col(DecisionRow.sequence) > run.decided).order_by(col(DecisionRow.sequence))
    )
    for row in pending:
        try:
            config = config.with_decision(row.key, row.value)
            outcome = "applied"
        except InvalidRunConfig as error:
            outcome = f"refused: {error.detail}"
        row.outcome, row.round, run.decided = outcome, run.round + 1, row.sequence
        session.add(row)
        log.append(
            session, "decision", run=run.id, sequence=row.sequence, key=row.key, value=row.value,
            from_round=row.round, outcome=row.outcome,
        )  # fmt: skip
    run.config = config.to_json()
    session.add(run)
    return config


def _members(session: Session, run: Run) -> list[Node]:
    rows = session.exec(select(Node).where(Node.run == run.id, col(Node.active)))
    return sorted(rows, key=lambda node: node.node.lower())


def _participants(session: Session, run: str, number: int) -> list[Participant]:
    return list(session.exec(select(Participant).where(Participant.run == run, Participant.number == number)))


def _participant(ledger: Ledger, node: Node, number: int, rate: int) -> Participant:
    return Participant(
        run=node.run, number=number, node=node.node, payout=node.payout, inner_digest=node.inner_digest,
        inner_proof=node.inner_proof, seen=ledger.now(), rate=rate,
    )  # fmt: skip


def _seed(run: Run, number: int, theta: str) -> str:
    return "0x" + data_seed(seed_origin(from_json(RunManifest, run.manifest)), number, bytes.fromhex(theta[2:])).hex()
