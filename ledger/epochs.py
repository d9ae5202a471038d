"""Epochs: payouts from the journal of verified work, signed by k verifiers, settled on the chain."""

from __future__ import annotations

from sqlmodel import Session, col, func, select
from web3.contract.contract import ContractFunction

from contracts.log_audit import Kind, epoch_payouts, kind_weights
from contracts.messages import EpochRoot, from_json
from contracts.run_config import RunConfig
from contracts.verifier_registry import EpochState, EpochStatus
from ledger import appeals, contributions, cosign, log, outbox, payouts
from ledger.crash_points import reach
from ledger.errors import NotFound, RootMismatch, TooEarly
from ledger.service import Ledger
from ledger.tables import Epoch, PayoutRow, Proof, Run

STATES = {EpochStatus.PROPOSED: "proposed", EpochStatus.DISPUTED: "disputed", EpochStatus.FINAL: "proposed"}
"""By the chain as it stands; `record_final` alone makes an epoch final."""


def close_if_due(ledger: Ledger, session: Session, run: Run) -> None:
    """Close an epoch after its last round, or the run's: payouts, root and debts, in the round's own transaction."""
    if run.round % int(run.manifest["roundsPerEpoch"]) and run.round < RunConfig.from_json(run.config).rounds:
        return
    number = len(session.exec(select(Epoch.number)).all()) + 1
    first = _first_unpaid(session, run)
    work = _work(session, run, first)
    if not work:
        return
    deployment = ledger.chain.deployment
    contributed = {Kind.COMPUTE: work} | contributions.since_last_epoch(session, run)
    due = epoch_payouts(
        contributed, kind_weights(RunConfig.from_json(run.config)), int(run.manifest["emission"]), deployment.chain_id,
        deployment.distributor, number,
    )  # fmt: skip
    root, total = payouts.record(ledger, session, number, due), sum(p.amount for p in due)
    deadline = ledger.now() + cosign.ON_CHAIN_SECONDS
    log.append(
        session, "epoch-closed", run=run.id, epoch=number, first_round=first, last_round=run.round,
        root="0x" + root.hex(), total=str(total), count=len(due), deadline=deadline,
    )  # fmt: skip
    size = log.size(session)
    session.add(
        Epoch(
            number=number, run=run.id, first_round=first, last_round=run.round,
            root="0x" + root.hex(), total=total, count=len(due), log_size=size,
            log_root="0x" + log.root(session, size).hex(), deadline=deadline,
        )
    )  # fmt: skip


def sign(ledger: Ledger, number: int, message: EpochRoot, signature: bytes, signer: str) -> None:
    """Take a verifier's signature on the epoch's root; `settle` brings k of them to the chain."""
    name = cosign.check(ledger, message, signature, signer)
    with ledger.store.write() as session:
        epoch = require_epoch(session, number)
        if message != root_message(ledger, epoch):
            raise RootMismatch(f"epoch {number} attempt {epoch.attempt} has root {epoch.root}")
        cosign.add(ledger, session, message, signature, name)


def root_message(ledger: Ledger, epoch: Epoch) -> EpochRoot:
    """What verifiers sign for this epoch."""
    return from_json(
        EpochRoot,
        {
            "model": ledger.chain.deployment.model, "epoch": epoch.number, "attempt": epoch.attempt,
            "root": epoch.root, "total": str(epoch.total), "count": epoch.count, "logSize": epoch.log_size,
            "logRoot": epoch.log_root, "closedAt": epoch.deadline - cosign.ON_CHAIN_SECONDS, "deadline": epoch.deadline,
        },
    )  # fmt: skip


def settle(ledger: Ledger) -> None:
    """Follow the chain: note proposed, disputed and final epochs, and queue the call that each is due."""
    with ledger.store.read() as session:
        open_epochs = list(session.exec(select(Epoch).where(Epoch.state != "final")))
    for epoch in open_epochs:
        on_chain = ledger.chain.registry.epoch_of(epoch.number)
        epoch.attempt = on_chain.attempt
        due = _due(ledger, epoch, on_chain)
        with ledger.store.write() as session:
            row = session.get_one(Epoch, epoch.number)
            if row.state == "final":
                continue
            row.state, row.attempt = STATES.get(on_chain.status, "closed"), on_chain.attempt
            session.add(row)
            if due is not None:
                outbox.enqueue(session, *due)


def _due(ledger: Ledger, epoch: Epoch, on_chain: EpochState) -> tuple[str, ContractFunction] | None:
    """What anybody may do for the epoch now, under its id in the outbox.

    Propose what k have signed, finalize what nobody challenged in time, let lapse what nobody decided in time.
    """
    registry, place = ledger.chain.registry, f"{epoch.number}:{on_chain.attempt}"
    if on_chain.status == EpochStatus.NONE:
        signed = _quorum(ledger, epoch)
        message = root_message(ledger, epoch)
        return (f"propose-root:{place}", registry.propose(message, signed)) if signed else None
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    if on_chain.status == EpochStatus.PROPOSED and now > on_chain.closes_at:
        return f"finalize:{place}:{on_chain.closes_at}", registry.finalize(epoch.number)
    if on_chain.status == EpochStatus.DISPUTED and now >= on_chain.challenged_at + registry.dispute_limit():
        return f"lapse:{place}:{on_chain.disputes}", registry.lapse(epoch.number)
    return None


def claim(ledger: Ledger, number: int, account: str) -> list[str]:
    """Queue the mints of an account's lines in a final epoch, at the relayer's cost; returns their outbox ids."""
    with ledger.store.write() as session:
        epoch = require_epoch(session, number)
        if epoch.state != "final":
            raise TooEarly(f"epoch {number} is {epoch.state}; claims open when its challenge window has passed")
        lines = payouts.lines_of(session, number, account)
        queued = []
        for line, proof in zip(lines, payouts.proofs(ledger, session, epoch, [x.leaf for x in lines]), strict=True):
            call = ledger.chain.distributor.claim(number, line.index, line.account, line.kind, line.amount, proof)
            queued.append(f"claim:{line.leaf}")
            outbox.enqueue(session, queued[-1], call)
        reach("claims.queued")
    return queued


def require_epoch(session: Session, number: int) -> Epoch:
    """The epoch of that number. Raises NotFound."""
    found = session.get(Epoch, number)
    if found is None:
        raise NotFound(f"epoch {number} is not closed yet")
    return found


def record_final(session: Session, number: int) -> None:
    """A final block says that the epoch is final, so no reorg takes it back: claims open, and nobody follows it on."""
    row = session.get(Epoch, number)
    if row is not None:
        row.state = "final"
        session.add(row)


def record_mint(ledger: Ledger, session: Session, leaf: str) -> None:
    """A final block minted this receipt: what was owed is paid. Other minters' receipts are no epoch's debt."""
    line = session.exec(select(PayoutRow).where(PayoutRow.leaf == leaf)).one_or_none()
    if line is None:
        return
    payouts.note_mint(session, line, ledger.now())


def _work(session: Session, run: Run, first: int) -> dict[str, int]:
    totals: dict[str, int] = {}
    posted = select(Proof).where(
        Proof.run == run.id, col(Proof.number) >= first, col(Proof.number) <= run.round, Proof.state == "posted"
    )
    restored = appeals.upheld_proofs(session, run.id, first, run.round)
    for proof in (*session.exec(posted), *restored):
        totals[proof.payout.lower()] = totals.get(proof.payout.lower(), 0) + proof.work
    return totals


def _first_unpaid(session: Session, run: Run) -> int:
    """The round after the run's last epoch: each round is paid in exactly one."""
    return int(session.exec(select(func.coalesce(func.max(Epoch.last_round), 0)).where(Epoch.run == run.id)).one()) + 1


def _quorum(ledger: Ledger, epoch: Epoch) -> dict[str, bytes]:
    """k signatures that count on the chain, if it is this epoch's turn there: it takes one after the other."""
    with ledger.store.read() as session:
        message = root_message(ledger, epoch)
        if not cosign.signers(ledger, session, message):
            return {}
        if ledger.chain.registry.finalized_epochs() + 1 != epoch.number:
            return {}
        return cosign.quorum(ledger, session, message)
