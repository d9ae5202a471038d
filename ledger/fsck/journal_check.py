"""Journal, payouts, epochs and rounds against what the log gives, and the balances that follow."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlmodel import Session, col, select

from contracts.errors import CommonweightError
from ledger import journal, panels
from ledger.fsck.derived import Derived
from ledger.fsck.finding import Finding, differences
from ledger.service import Ledger
from ledger.tables import (
    AppealRow,
    ChainEvent,
    ContributionRow,
    Epoch,
    LogEntry,
    PayoutRow,
    Proof,
    Resolution,
    Round,
    Run,
    Transfer,
)

BATCH = 2_000
BOOKS = ("work", "code", "data", "units")


def check_journal(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding for whatever differs from the log (transfer, end, payout, epoch, round), and every unbalanced book."""
    place = ledger.chain.deployment
    derived = Derived(place.chain_id, place.distributor)
    for entry in session.exec(select(LogEntry).order_by(col(LogEntry.index)).execution_options(yield_per=BATCH)):
        try:
            derived.take(entry.index, json.loads(entry.body))
        except (ValueError, KeyError, TypeError, CommonweightError) as error:
            yield Finding("logentry", str(entry.index), f"cannot follow from the entries before it: {error!r}")
    minted = select(ChainEvent).where(ChainEvent.name == "Minted", ChainEvent.contract == "ModelToken")
    for event in session.exec(minted):
        derived.mint(str(event.arguments["receipt"]))
    yield from _compare(session, derived)
    yield from _compare_grounds(session, derived)
    yield from _check_rounds(session, derived)
    yield from _balance(session)


def _compare(session: Session, derived: Derived) -> Iterator[Finding]:
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
    proofs = {row.id: (row.run, row.number, row.payout, row.work, row.state) for row in session.exec(select(Proof))}
    yield from differences("proof", derived.proofs(), proofs, "the log")
    epochs = {
        row.number: (
            row.run, row.first_round, row.last_round, row.root, row.total, row.count, row.log_size, row.deadline,
        )
        for row in session.exec(select(Epoch))
    }  # fmt: skip
    yield from differences("epoch", derived.epochs, epochs, "the log")


def _compare_grounds(session: Session, derived: Derived) -> Iterator[Finding]:
    """What the next epoch will be computed from."""
    runs = {row.id: (row.manifest, row.config) for row in session.exec(select(Run))}
    yield from differences("run", derived.runs(), runs, "the log")
    contributions = {
        (row.run, row.subject): (row.kind, row.author, row.weight, row.log_index)
        for row in session.exec(select(ContributionRow))
    }
    yield from differences("contribution", derived.contributions, contributions, "the log")
    decided = select(AppealRow).where(col(AppealRow.decided_round).is_not(None))
    appeals = {row.proof: (row.state, row.decided_round) for row in session.exec(decided)}
    yield from differences("appeal", derived.appeals, appeals, "the log")


def _check_rounds(session: Session, derived: Derived) -> Iterator[Finding]:
    """What each opened with, by the log; who verifies it, by the chain's events up to the block that the log names."""
    rows = {(row.run, row.number): row for row in session.exec(select(Round))}
    opened = {
        key: (row.config, row.config_digest, row.data_seed, row.theta, row.momentum, row.block)
        for key, row in rows.items()
    }
    yield from differences("round", derived.rounds, opened, "the log")
    for key in sorted(rows.keys() & derived.rounds.keys()):
        block, said = derived.rounds[key][-1], (rows[key].verifiers, rows[key].threshold)
        try:
            bench = panels.verifiers_at(session, block)
        except CommonweightError as error:
            yield Finding("chainevent", str(block), f"no verifiers for round {key[1]} follow from the events: {error}")
            continue
        yield from differences("round", {key: (sorted(bench.members), bench.threshold)}, {key: said}, "the chain")


def _balance(session: Session) -> Iterator[Finding]:
    for book in BOOKS:
        found = journal.balances(session, book)
        if sum(found.values()):
            yield Finding("transfer", book, f"the book is out of balance by {sum(found.values())}")
        for account, amount in found.items():
            if amount < 0 and not account.startswith(("run:", "emission:")):
                yield Finding("transfer", account, f"has {amount}: more left it than came")
