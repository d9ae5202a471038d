"""Double entry: immutable transfers, idempotent by id; a pending one is posted or voided at most once.

Two books: `work` counts verified tokens, `units` counts ownership in 1e-18 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from ledger.errors import JournalConflict, NotFound
from ledger.seals import sealed
from ledger.tables import Resolution, Transfer


def record(session: Session, transfer: Transfer) -> None:
    """Add a transfer; the same one again changes nothing. Raises JournalConflict for another under its id."""
    if transfer.amount < 0:
        raise JournalConflict(f"transfer {transfer.id} has a negative amount")
    known = session.get(Transfer, transfer.id)
    if known is None:
        session.add(transfer)
        session.flush()
        return
    if _contents(known) != _contents(transfer):
        raise JournalConflict(f"transfer {transfer.id} exists with other contents")


def record_new(session: Session, transfers: Sequence[Mapping[str, Any]]) -> None:
    """Add many transfers, given as their columns, whose ids are new; the database refuses an id that is not."""
    if any(transfer["amount"] < 0 for transfer in transfers):
        raise JournalConflict("a transfer has a negative amount")
    session.execute(insert(Transfer), [sealed(Transfer, transfer) for transfer in transfers])


def resolve(session: Session, transfer_id: str, outcome: str, now: int) -> None:
    """End a pending transfer as `posted` or `voided`; the same end again changes nothing. Raises JournalConflict."""
    transfer = session.get(Transfer, transfer_id)
    if transfer is None:
        raise NotFound(f"no transfer {transfer_id}")
    if not transfer.pending:
        raise JournalConflict(f"transfer {transfer_id} was never pending")
    known = session.get(Resolution, transfer_id)
    if known is None:
        session.add(Resolution(transfer=transfer_id, outcome=outcome, made=now))
        session.flush()
    elif known.outcome != outcome:
        raise JournalConflict(f"transfer {transfer_id} is {known.outcome} already")


def balances(session: Session, book: str) -> dict[str, int]:
    """Credits less debits per account, over what is posted; they sum to 0."""
    rows = session.exec(
        select(Transfer, Resolution)
        .join(Resolution, col(Resolution.transfer) == col(Transfer.id), isouter=True)
        .where(Transfer.book == book)
    )
    totals: dict[str, int] = {}
    for transfer, end in rows:
        if transfer.pending and (end is None or end.outcome != "posted"):
            continue
        totals[transfer.debit] = totals.get(transfer.debit, 0) - transfer.amount
        totals[transfer.credit] = totals.get(transfer.credit, 0) + transfer.amount
    return totals


def _contents(transfer: Transfer) -> tuple[object, ...]:
    return transfer.book, transfer.debit, transfer.credit, transfer.amount, transfer.pending
