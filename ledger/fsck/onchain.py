"""The ledger's rows of the chain, and its own transactions there, against the chain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from sqlmodel import Session, col, select

from contracts.chain.presence import require_present
from contracts.ids import ZERO_ADDRESS, to_hex
from contracts.protocol.chain.logs import EventFilter
from contracts.wire.states import EpochStage
from ledger.books.payouts import pays_a_line
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.fsck.finding import Finding, differences
from ledger.machine.effects import closing_of, payouts_of
from ledger.public_log import unseen
from ledger.storage.tables import FINAL, ChainEvent, ClosingRow, Cursor, DecisionRow, Epoch, LogEntry, PayoutRow

PATIENCE_SECONDS = 3.0
"""Time for a running server to read the newest final block."""


def check_chain(
    ledger: Ledger, session: Session, check_epochs: Callable[[Ledger, Session], Iterator[Finding]]
) -> Iterator[Finding]:
    """A finding for every event, decision or unit on which ledger and chain differ, and what `check_epochs` finds."""
    require_present(ledger.chain.w3, ledger.chain.deployment)
    yield from _check_unseen(ledger, session)
    cursor = session.get(Cursor, FINAL)
    if cursor is None:
        for table in (ChainEvent, DecisionRow):
            if session.exec(select(table)).first() is not None:
                yield Finding("cursor", FINAL, f"is missing, and {table.__tablename__} has rows of the chain")
        yield from _check_unread(ledger, ledger.chain.first_block)
        return
    if to_hex(ledger.chain.block_hash(cursor.block)) != cursor.hash:
        yield Finding("cursor", cursor.name, f"stands on block {cursor.block}, which is another on the chain")
        return
    yield from _check_events(ledger, session, cursor.block)
    yield from _check_unread(ledger, cursor.block + 1)
    yield from check_epochs(ledger, session)
    yield from _check_claims(ledger, session)
    yield from _check_slashes(ledger, session, cursor.block)
    yield from _check_supply(ledger, session, cursor.block)


def _check_unseen(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding for each epoch that the chain has and the ledger lacks, and for a log that lost its end."""
    missing = unseen.look(ledger, session)
    for number in missing.epochs:
        yield Finding("epoch", str(number), "is on the chain, and never closed in this log")
    if missing.signed_over:
        what = f"a root on the chain was signed over {missing.signed_over} entries, and {missing.size} are here"
        yield Finding("logentry", str(missing.size), f"is missing with all behind it: {what}; {unseen.REMEDY}")


def _check_unread(ledger: Ledger, first: int) -> Iterator[Finding]:
    """A finding where final blocks have unread events. A running server reads them within PATIENCE_SECONDS."""
    events = list(_read(ledger, first, ledger.chain.final()))
    read_to = _read_soon(ledger, max((event.block for event in events), default=0))
    waiting = Counter(event.name for event in events if event.block > read_to)
    if waiting:
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(waiting.items()))
        yield Finding("cursor", FINAL, f"has not read final blocks with {kinds}: `serve` or `keeper` reads them")


def _read_soon(ledger: Ledger, block: int) -> int:
    """The cursor's block, once it reaches a block, or after PATIENCE_SECONDS."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        with ledger.store.read() as session:
            cursor = session.get(Cursor, FINAL)
        read_to = cursor.block if cursor is not None else 0
        if read_to >= block or time.monotonic() >= end:
            return read_to
        time.sleep(0.2)


def _check_claims(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding for each mint of the distributor's that pays no line of an epoch here."""
    minted = select(ChainEvent).where(ChainEvent.name == "Minted", ChainEvent.contract == "ModelToken")
    receipts = {str(e.arguments["receipt"]): e for e in session.exec(minted) if pays_a_line(e)}
    if not receipts:
        return
    unknown = receipts.keys() - set(session.exec(select(PayoutRow.leaf)))
    for leaf in sorted(unknown - _promised(ledger, session)) if unknown else ():
        arguments = receipts[leaf].arguments
        yield Finding(
            "payout", leaf, f"is missing: the chain minted {arguments['amount']} units to {arguments['to']} for it"
        )


def _promised(ledger: Ledger, session: Session) -> set[str]:
    """Leaves of epochs whose end is not entered yet: their lines may be claimed before."""
    leaves: set[str] = set()
    for row in session.exec(select(Epoch).where(Epoch.state != EpochStage.FINAL)):
        for closing in session.exec(select(ClosingRow).where(ClosingRow.epoch == row.number)).all():
            lines = closing_of(session, closing.log_index).lines
            leaves |= {to_hex(p.leaf()) for p in payouts_of(ledger.judge.functions, row.number, lines)}
    return leaves


def _check_slashes(ledger: Ledger, session: Session, last: int) -> Iterator[Finding]:
    """A finding for each proof that the chain slashed a node for and the log does not know."""
    deployment = ledger.chain.deployment
    source = EventFilter(ledger.chain.w3, "VerifierRegistry", deployment.verifier_registry, ("NodeSlashed",))
    for event in source.read(ledger.chain.first_block, last):
        proof = to_hex(event.arguments["proof"])
        if session.exec(select(LogEntry.index).where(LogEntry.subject == proof).limit(1)).first() is None:
            node = event.arguments["node"]
            yield Finding(
                "logentry", proof, f"is missing: the chain slashed {node} for this proof in block {event.block}"
            )


def _check_events(ledger: Ledger, session: Session, last: int) -> Iterator[Finding]:
    first = ledger.chain.first_block
    expected: dict[tuple[int, int], tuple[str, str, str, dict[str, str]]] = {}
    expected |= {_position(event): _contents(event) for event in _read(ledger, first, last)}
    actual = {_position(event): _contents(event) for event in session.exec(select(ChainEvent))}
    yield from differences("chainevent", expected, actual, "the chain")
    decisions = {
        int(arguments["sequence"]): (arguments["key"], arguments["value"])
        for _, name, _, arguments in expected.values()
        if name == "Decision" and arguments["model"] == ledger.chain.deployment.model
    }
    rows = {row.sequence: (row.key, row.value) for row in session.exec(select(DecisionRow))}
    yield from differences("decision", decisions, rows, "the chain")


def _read(ledger: Ledger, first: int, last: int) -> Iterator[ChainEvent]:
    for _, events in indexer.read_range(ledger, first, last):
        yield from events


def _check_supply(ledger: Ledger, session: Session, last: int) -> Iterator[Finding]:
    """The supply by mint receipts, by Transfer events, and by the token."""
    events = select(ChainEvent).where(ChainEvent.contract == "ModelToken", col(ChainEvent.block) <= last)
    minted = moved = 0
    for event in session.exec(events):
        amount = int(event.arguments.get("amount") or event.arguments.get("value") or 0)
        minted += amount if event.name == "Minted" else 0
        moved += amount if event.name == "Transfer" and event.arguments["from"] == ZERO_ADDRESS else 0
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


def _position(event: ChainEvent) -> tuple[int, int]:
    return event.block, event.log_index


def _contents(event: ChainEvent) -> tuple[str, str, str, dict[str, str]]:
    return event.contract, event.name, event.transaction, event.arguments
