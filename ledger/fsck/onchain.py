"""What the ledger read from the chain, and what it brought there, against the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlmodel import Session, col, select

from contracts.deployment import ZERO
from ledger import indexer
from ledger.fsck.finding import Finding, differences
from ledger.payouts import pays_a_line
from ledger.service import Ledger
from ledger.tables import ChainEvent, Cursor, DecisionRow, PayoutRow


def check_chain(
    ledger: Ledger, session: Session, check_epochs: Callable[[Ledger, Session], Iterator[Finding]]
) -> Iterator[Finding]:
    """A finding for every event, decision or unit on which ledger and chain differ, and what `check_epochs` finds."""
    cursor = session.get(Cursor, indexer.NAME)
    if cursor is None:
        for table in (ChainEvent, DecisionRow):
            if session.exec(select(table)).first() is not None:
                yield Finding("cursor", indexer.NAME, f"is missing, and {table.__tablename__} has rows of the chain")
        return
    if "0x" + ledger.chain.block_hash(cursor.block).hex() != cursor.hash:
        yield Finding("cursor", cursor.name, f"stands on block {cursor.block}, which is another on the chain")
        return
    yield from _check_events(ledger, session, cursor.block)
    yield from check_epochs(ledger, session)
    yield from _check_supply(ledger, session, cursor.block)


def _check_events(ledger: Ledger, session: Session, last: int) -> Iterator[Finding]:
    first = ledger.chain.first_block
    expected: dict[tuple[int, int], tuple[str, str, str, dict[str, str]]] = {}
    for start in range(first, last + 1, indexer.BATCH):
        window = {"fromBlock": start, "toBlock": min(last, start + indexer.BATCH - 1)}
        expected |= {_place(event): _contents(event) for event in indexer.read(ledger, window)}
    found = {_place(event): _contents(event) for event in session.exec(select(ChainEvent))}
    yield from differences("chainevent", expected, found, "the chain")
    decisions = {
        int(arguments["sequence"]): (arguments["key"], arguments["value"])
        for _, name, _, arguments in expected.values()
        if name == "Decision" and arguments["model"] == ledger.chain.deployment.model
    }
    rows = {row.sequence: (row.key, row.value) for row in session.exec(select(DecisionRow))}
    yield from differences("decision", decisions, rows, "the chain")


def _check_supply(ledger: Ledger, session: Session, last: int) -> Iterator[Finding]:
    """Supply as mint receipts have it, as Transfer events have it, and as the token says."""
    events = select(ChainEvent).where(ChainEvent.contract == "ModelToken", col(ChainEvent.block) <= last)
    minted = moved = 0
    for event in session.exec(events):
        amount = int(event.arguments.get("amount", event.arguments.get("value", 0)))
        minted += amount if event.name == "Minted" else 0
        moved += amount if event.name == "Transfer" and event.arguments["from"] == ZERO else 0
    if minted != moved:
        yield Finding("chainevent", "ModelToken", f"{minted} units minted by receipts, {moved} by Transfer events")
    supply = ledger.chain.token.total_supply()
    settled = ledger.chain.head() == last
    if supply < minted or (settled and supply != minted):
        yield Finding("chainevent", "ModelToken", f"{minted} units minted by receipts; the supply is {supply}")


def minted_of(session: Session, epoch: int) -> int:
    """Units that mint events paid of an epoch's lines."""
    leaves = set(session.exec(select(PayoutRow.leaf).where(PayoutRow.epoch == epoch)))
    events = session.exec(select(ChainEvent).where(ChainEvent.name == "Minted"))
    return sum(int(e.arguments["amount"]) for e in events if e.arguments["receipt"] in leaves and pays_a_line(e))


def _place(event: ChainEvent) -> tuple[int, int]:
    return event.block, event.log_index


def _contents(event: ChainEvent) -> tuple[str, str, str, dict[str, str]]:
    return event.contract, event.name, event.transaction, event.arguments
