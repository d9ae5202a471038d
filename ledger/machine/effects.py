"""Effects of an entry on rows, in the transaction that enters it: books, announced blobs, epochs and their debts.

closed      the epoch's row has the newest root; its pay is pending (double entry)
closed anew the root of before may still become final on the chain, so that its lines stay pending beside the new ones
ended       the lines of the root that the chain made final are owed, all others void; a root that does not follow from
            the log owes nobody anything, and is logged as an error
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.ids import RunId, to_hex
from contracts.merkle.payout_tree import Payout
from contracts.protocol.judge.entries import Derived, EpochClosed, EpochEnded, Line
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.state import State
from contracts.protocol.log.codec import from_object
from contracts.protocol.log.leaf import Entry
from contracts.protocol.log.signed import Envelope
from contracts.wire.states import EpochStage, TransferEnd
from ledger.books import journal, log, payouts
from ledger.machine import announced, bookkeeping
from ledger.storage.tables import ChainEvent, ClosingRow, Epoch, LogEntry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moment:
    """A fact that is being entered at an index of the log, and the machine after all that follows from it."""

    session: Session
    functions: Protocol
    state: State
    fact: Fact
    index: int

    @property
    def time(self) -> int:
        """Chain time of the last entered block."""
        return self.state.block.time if self.state.block is not None else 0


def cause(at: Moment, derived: Sequence[Derived], envelope: Envelope | None, name: str | None) -> None:
    """Write the effects of a fact and of the derived entries after it. Raises JournalConflict."""
    if envelope is not None and name is not None:
        announced.announce(at.session, at.state, envelope.message, name)
    entries: Iterable[Entry] = (at.fact, *derived)
    for index, entry in enumerate(entries, start=at.index):
        bookkeeping.book(at.session, at.state, entry)
        effect = _EFFECTS.get(type(entry))
        if effect is not None:
            effect(at, index, entry)


def closing_of(session: Session, log_index: int) -> EpochClosed:
    """The entry of the log that closed an epoch."""
    body = json.loads(session.get_one(LogEntry, log_index).body)
    if body.pop("kind") != "epoch-closed":
        raise ValueError(f"entry {log_index} closes no epoch")
    closed: EpochClosed = from_object(EpochClosed, body)
    return closed


def payouts_of(functions: Protocol, epoch: int, lines: Sequence[Line]) -> list[Payout]:
    """The lines of an epoch as leaves of its payout tree."""
    prefix = (functions.chain_id, functions.distributor, epoch)
    return [Payout(*prefix, index, line.account, line.kind, line.amount) for index, line in enumerate(lines)]


def promise_id(epoch: int, root: str, index: int) -> str:
    """The transfer that is pending for one line of one root."""
    return f"owed:{epoch}:{root}:{index}"


def _closed(at: Moment, index: int, entry: EpochClosed) -> None:
    assert at.functions.root(entry.epoch, entry.lines) == entry.root, "the lines are those of the root"
    assert sum(line.amount for line in entry.lines) == entry.total, "the lines sum up to the total"
    closings = _closings(at.session, entry.epoch)
    if all(row.root != entry.root for row in closings):
        _promise(at, entry)
    closing = ClosingRow(
        log_index=index,
        epoch=entry.epoch,
        attempt=entry.attempt,
        root=entry.root,
        total=entry.total,
        count=len(entry.lines),
        settled_at=entry.settled_at,
        deadline=entry.deadline,
        block=at.state.block.number if at.state.block is not None else 0,
    )
    at.session.add(closing)
    _write_row(at.session, closing, entry)


def _write_row(session: Session, closing: ClosingRow, entry: EpochClosed) -> None:
    """Write the epoch's row after a closing: `log_size` counts the log up to the closing entry."""
    columns: dict[str, Any] = {
        "run": entry.run,
        "state": EpochStage.CLOSED,
        "attempt": closing.attempt,
        "first_round": entry.first_round,
        "last_round": entry.last_round,
        "root": closing.root,
        "total": closing.total,
        "count": closing.count,
        "log_size": closing.log_index + 1,
        "log_root": to_hex(log.root(session, closing.log_index + 1)),
        "settled_at": closing.settled_at,
        "deadline": closing.deadline,
    }
    row = session.get(Epoch, closing.epoch) or Epoch(number=closing.epoch, **columns)
    for name, value in columns.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()


def _promise(at: Moment, entry: EpochClosed) -> None:
    """Enter the pay of a root as pending until the chain has made one root final."""
    promises = [
        {
            "id": promise_id(entry.epoch, entry.root, index),
            "book": "units",
            "debit": f"emission:{entry.epoch}",
            "credit": f"owed:{to_checksum_address(line.account)}",
            "amount": line.amount,
            "pending": True,
            "made": at.time,
        }
        for index, line in enumerate(entry.lines)
    ]
    journal.record_new(at.session, promises)


def _ended(at: Moment, _: int, entry: EpochEnded) -> None:
    closings = _closings(at.session, entry.epoch)
    ours = [row for row in closings if (row.attempt, row.root) == (entry.attempt, entry.root)]
    assert bool(ours) == entry.ours, "the rows have the roots that the machine gave"
    _resolve(at, closings, entry.root if ours else None)
    row = at.session.get_one(Epoch, entry.epoch)
    if ours:
        closed = closing_of(at.session, ours[-1].log_index)
        _write_row(at.session, ours[-1], closed)
        payouts.write(at.session, entry.epoch, payouts_of(at.functions, entry.epoch, closed.lines))
        _note_mints(at, entry.epoch, closings[0].block)
    else:
        logger.error(
            "epoch %d is final on the chain with attempt %d and root %s, which does not follow from the log: "
            "its claims are refused",
            entry.epoch,
            entry.attempt,
            entry.root,
        )
    row.state = EpochStage.FINAL
    row.ours = entry.ours
    at.session.add(row)
    announced.forget(at.session, at.state, RunId(row.run), row.last_round)


def _resolve(at: Moment, closings: Sequence[ClosingRow], root: str | None) -> None:
    """End the pending lines of each root of the epoch: owed for the final root, else void."""
    for closed_root, count in {row.root: row.count for row in closings}.items():
        outcome = TransferEnd.POSTED if closed_root == root else TransferEnd.VOIDED
        names = [promise_id(closings[0].epoch, closed_root, index) for index in range(count)]
        journal.resolve_all(at.session, names, outcome, at.time)


def _note_mints(at: Moment, epoch: int, since: int) -> None:
    """Claims of an epoch may be read from the chain before its end is entered: those debts are paid then."""
    lines = {line.leaf: line for line in payouts.lines(at.session, epoch, 0, 10**9)}
    minted = select(ChainEvent).where(ChainEvent.name == "Minted", col(ChainEvent.block) > since)
    for event in at.session.exec(minted):
        line = lines.get(str(event.arguments["receipt"]))
        if line is not None and payouts.pays_a_line(event):
            payouts.note_mint(at.session, line, at.time)


def _closings(session: Session, epoch: int) -> list[ClosingRow]:
    rows = select(ClosingRow).where(ClosingRow.epoch == epoch).order_by(col(ClosingRow.log_index))
    return list(session.exec(rows))


_EFFECTS: dict[type, Callable[[Moment, int, Any], None]] = {EpochClosed: _closed, EpochEnded: _ended}
READING = (EpochClosed, EpochEnded)
"""Kinds of entries whose effects read the log: the entry has to be written before."""
