"""Entries in the journal: work is pending from its commitment on, and posted or voided once (double entry).

Times are those of the last entered block, so that the same log gives the same books.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from contracts.protocol.judge.entries import Posted, RoundClosed, Undecided, Voided
from contracts.protocol.judge.facts import Committed
from contracts.protocol.judge.state import State
from contracts.protocol.log.leaf import Entry
from contracts.wire.states import TransferEnd
from ledger.books import journal
from ledger.storage.tables import Transfer


def book(session: Session, state: State, entry: Entry) -> None:
    """Write the transfers of an entry; most entries have none. Raises JournalConflict."""
    write = _BOOKED.get(type(entry))
    if write is not None:
        write(session, state, entry)


def _committed(session: Session, state: State, entry: Committed) -> None:
    payout = state.runs[entry.run].rounds[entry.round].listed[entry.node].payout
    journal.add(
        session,
        Transfer(
            id=entry.proof,
            book="work",
            debit=f"run:{entry.run}",
            credit=payout,
            amount=entry.tokens,
            pending=True,
            made=_time(state),
        ),
    )


def _closed(session: Session, state: State, entry: RoundClosed) -> None:
    """Void the proofs whose bytes k verifiers do not hold."""
    proofs = state.runs[entry.run].rounds[entry.round].proofs.values()
    journal.resolve_all(
        session, [proof for proof in proofs if proof not in entry.proofs], TransferEnd.VOIDED, _time(state)
    )


def _posted(session: Session, state: State, entry: Posted) -> None:
    journal.resolve(session, entry.proof, TransferEnd.POSTED, _time(state))


def _voided(session: Session, state: State, entry: Voided | Undecided) -> None:
    journal.resolve(session, entry.proof, TransferEnd.VOIDED, _time(state))


def _time(state: State) -> int:
    return state.block.time if state.block is not None else 0


_BOOKED: dict[type, Callable[[Session, State, Any], None]] = {
    Committed: _committed,
    RoundClosed: _closed,
    Posted: _posted,
    Voided: _voided,
    Undecided: _voided,
}
