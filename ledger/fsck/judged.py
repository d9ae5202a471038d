"""fsck of a ledger with a machine of rules: the log is judged anew, and rows and chain are compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlmodel import Session, col, select

from contracts.bindings.verifier_registry import SET_EVENTS, EpochStatus, VerifierSet
from contracts.errors import CommonweightError
from contracts.ids import to_hex
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.errors import Differs
from contracts.protocol.log.leaf import DERIVED, SIGNED
from contracts.protocol.log.signed import read_envelope
from contracts.wire.states import EpochStage
from ledger.books import journal, log, payouts
from ledger.context import Ledger
from ledger.fsck import onchain, tree
from ledger.fsck.finding import Finding, differences
from ledger.fsck.rederived import Rederived
from ledger.storage.tables import AnnouncedRow, ChainEvent, ClosingRow, Epoch, LogEntry, PayoutRow, Resolution, Transfer
from ledger.views.rebuilt import rebuilt

BATCH = 2_000
BOOKS = ("work", "units")
OPEN = (EpochStatus.PROPOSED, EpochStatus.DISPUTED, EpochStatus.FINAL)


def check_tree(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """Leaves and nodes against each other, and the subject of each leaf."""
    domain = ledger.judge.domain
    yield from tree.check_tree(session, lambda kind, body: subject_of(domain, kind, body))


def subject_of(domain: Domain, kind: str, body: Mapping[str, Any]) -> str | None:
    """The subject of an entry: a message's digest, a derived entry's proof. Raises CommonweightError."""
    if kind in SIGNED:
        envelope = read_envelope(SIGNED[kind], {name: value for name, value in body.items() if name != "kind"})
        return to_hex(digest(envelope.message, domain))
    return body["proof"] if kind in DERIVED and isinstance(body.get("proof"), str) else None


def check_journal(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding where the log departs from the rules, and for each row that does not follow from the log."""
    derived = Rederived(ledger.judge.functions, ledger.judge.domain)
    entries = select(LogEntry.body).order_by(col(LogEntry.index)).execution_options(yield_per=BATCH)
    try:
        for body in session.exec(entries):
            derived.take(body)
        derived.follower.finish()
    except Differs as error:
        yield Finding("logentry", str(error.index), f"cannot be read on from: {error.detail}")
    minted = select(ChainEvent).where(ChainEvent.name == "Minted", ChainEvent.contract == "ModelToken")
    for event in filter(payouts.pays_a_line, session.exec(minted)):
        derived.mint(str(event.arguments["receipt"]))
    yield from _compare_books(session, derived)
    yield from _compare_epochs(session, derived)
    yield from _compare_announced(session, derived)
    yield from _balance(session)


def check_chain(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """Events, decisions and supply, and for each epoch that is on the chain its root."""
    yield from onchain.check_chain(ledger, session, _check_epochs)


def _check_epochs(ledger: Ledger, session: Session) -> Iterator[Finding]:
    try:
        yield from _check_roots(ledger, session)
        yield from _check_stakes(ledger, session)
    except Differs as error:
        yield Finding("logentry", str(error.index), f"cannot be read on from: {error.detail}")


def _compare_books(session: Session, derived: Rederived) -> Iterator[Finding]:
    transfers = {
        row.id: (row.book, row.debit, row.credit, row.amount, row.pending) for row in session.exec(select(Transfer))
    }
    yield from differences("transfer", derived.transfers, transfers, "the log")
    ends = {row.transfer: row.outcome for row in session.exec(select(Resolution))}
    yield from differences("resolution", derived.ends, ends, "the log")
    payouts = {
        (row.epoch, row.index): (row.account, row.kind, row.amount, row.leaf) for row in session.exec(select(PayoutRow))
    }
    yield from differences("payout", derived.payouts, payouts, "the log")


def _compare_epochs(session: Session, derived: Rederived) -> Iterator[Finding]:
    closings = {
        row.log_index: (row.epoch, row.attempt, row.root, row.total, row.count, row.settled_at, row.deadline)
        for row in session.exec(select(ClosingRow))
    }
    yield from differences("closing", derived.closings, closings, "the log")
    epochs = {row.number: _epoch(row) for row in session.exec(select(Epoch))}
    expected = {number: _expected(session, derived, number) for number in derived.epochs}
    yield from differences("epoch", expected, epochs, "the log")


def _compare_announced(session: Session, derived: Rederived) -> Iterator[Finding]:
    """The blobs that the server takes and keeps, and no other bytes (J21)."""
    rows = {
        (row.digest, row.message, row.kind, row.size): (row.run, row.round, row.author)
        for row in session.exec(select(AnnouncedRow))
    }
    yield from differences("announced", derived.announced, rows, "the log")


def check_views(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding for each document that does not follow from the log, as far as the documents have come."""
    try:
        documents = rebuilt(session, ledger.judge.domain)
    except CommonweightError as error:
        yield Finding("logentry", "-", f"no document can be made of it: {error.detail}")
        return
    for table, expected, actual in documents.beside(session):
        yield from differences(table, expected, actual, "the log")


def _epoch(row: Epoch) -> tuple[Any, ...]:
    """An epoch's columns, without its states on the chain before it is final."""
    span = (row.run, row.first_round, row.last_round, row.log_size, row.log_root)
    closing = (row.attempt, row.root, row.total, row.count, row.settled_at, row.deadline)
    return (*span, *closing, row.state == EpochStage.FINAL, row.ours)


def _expected(session: Session, derived: Rederived, number: int) -> tuple[Any, ...]:
    index = derived.current[number]
    size = index + 1
    closing = derived.closings[index][1:]
    span = (*derived.epochs[number], size, to_hex(log.root(session, size)))
    return (*span, *closing, number in derived.ended, derived.ended.get(number))


def _balance(session: Session) -> Iterator[Finding]:
    for book in BOOKS:
        balances = journal.balances(session, book)
        if sum(balances.values()):
            yield Finding("transfer", book, f"the book is out of balance by {sum(balances.values())}")
        yield from differences("balance", balances, journal.kept(session, book), "the transfers")
        for account, amount in balances.items():
            if amount < 0 and not account.startswith(("run:", "emission:")):
                yield Finding("transfer", account, f"has {amount}: more left it than came")


def _is_entered(ledger: Ledger, session: Session, epoch: int) -> bool:
    """Whether the log has the block that made an epoch final."""
    with ledger.judge.view(session) as state:
        last = state.block.number if state.block is not None else 0
    ended = select(ChainEvent).where(ChainEvent.name == "EpochFinalized", col(ChainEvent.block) <= last)
    return any(int(event.arguments["epoch"]) == epoch for event in session.exec(ended))


def _check_stakes(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """Stakes of nodes, verifiers and k in the machine, against the events up to its last block."""
    with ledger.judge.view(session) as state:
        last = state.block.number if state.block is not None else 0
        here = {node: stake for node, stake in state.stakes.items() if stake}
        admitted = {name for name, record in state.verifiers.items() if record.admitted}
        k = state.k
    until = select(ChainEvent).where(ChainEvent.contract == "VerifierRegistry", col(ChainEvent.block) <= last)
    events = session.exec(until.order_by(col(ChainEvent.block), col(ChainEvent.log_index))).all()
    stakes = {str(e.arguments["node"]): int(e.arguments["stake"]) for e in events if e.name == "NodeStakeChanged"}
    yield from differences("logentry", {node: s for node, s in stakes.items() if s}, here, "the chain's stakes")
    if not any(event.name == "ThresholdSet" for event in events):
        return
    seats = VerifierSet.after((e.name, e.arguments) for e in events if e.name in SET_EVENTS)
    if (set(seats.members), seats.threshold) != (admitted, k):
        chain = f"{sorted(seats.members)} and {seats.threshold}"
        what = f"leaves verifiers {sorted(admitted)} and k {k}; the chain has {chain}"
        yield Finding("logentry", f"block {last}", what)


def _check_roots(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A root on the chain is one of those that the log gave the epoch, under one of its entries."""
    for row in session.exec(select(Epoch).order_by(col(Epoch.number))):
        on_chain = ledger.chain.registry.epoch_of(row.number)
        if row.state == EpochStage.FINAL and on_chain.status != EpochStatus.FINAL:
            yield Finding("epoch", str(row.number), "is final here, and not on the chain")
        if (
            row.state != EpochStage.FINAL
            and on_chain.status == EpochStatus.FINAL
            and _is_entered(ledger, session, row.number)
        ):
            yield Finding("epoch", str(row.number), f"is final on the chain, and {row.state} here")
        if on_chain.status not in OPEN:
            continue
        closings = session.exec(select(ClosingRow).where(ClosingRow.epoch == row.number)).all()
        ours = [
            (c.attempt, c.root, c.total, c.count, c.log_index + 1, to_hex(log.root(session, c.log_index + 1)))
            for c in closings
        ]
        theirs = (
            on_chain.attempt,
            to_hex(on_chain.root),
            on_chain.total,
            on_chain.count,
            on_chain.log_size,
            to_hex(on_chain.log_root),
        )
        if theirs not in ours:
            yield Finding("epoch", str(row.number), f"the chain has {theirs}, which does not follow from the log")
        paid = ledger.chain.distributor.paid(row.number)
        minted = onchain.minted_of(session, row.number)
        if not minted <= paid <= on_chain.total:
            what = f"has {minted} units minted by events and {paid} paid of {on_chain.total}"
            yield Finding("epoch", str(row.number), what)
