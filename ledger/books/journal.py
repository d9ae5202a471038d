"""Double entry: immutable transfers, idempotent by id; a pending one is posted or voided at most once.

Two books: `work` counts verified tokens, `units` counts ownership in 1e-18 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eth_utils import is_hex_address, to_checksum_address
from sqlalchemy import insert, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from contracts.wire.states import TransferEnd
from ledger.errors import JournalConflict, NotFound
from ledger.storage.seals import sealed
from ledger.storage.tables import Balance, Resolution, Transfer

BOOKS = ("work", "units")
OF_A_PAYEE = ("owed", "minted")
"""Accounts of the book `units` that each payee has."""
AT_ONCE = 500
"""Transfers that are read in one statement, which may have a thousand parameters."""


def record(session: Session, transfer: Transfer) -> None:
    """Add a transfer; the same one again changes nothing. Raises JournalConflict for another under its id."""
    if transfer.amount < 0:
        raise JournalConflict(f"transfer {transfer.id} has a negative amount")
    existing = session.get(Transfer, transfer.id)
    if existing is None:
        session.add(transfer)
        if not transfer.pending:
            _post(session, [transfer])
        session.flush()
        return
    if _contents(existing) != _contents(transfer):
        raise JournalConflict(f"transfer {transfer.id} exists with other contents")


def add(session: Session, transfer: Transfer) -> None:
    """Add a transfer whose id is new; the database refuses one that is not, when it is written."""
    if transfer.amount < 0:
        raise JournalConflict(f"transfer {transfer.id} has a negative amount")
    session.add(transfer)


def record_new(session: Session, transfers: Sequence[Mapping[str, Any]]) -> None:
    """Add many transfers, given as their columns, whose ids are new; the database refuses an id that is not."""
    if any(transfer["amount"] < 0 for transfer in transfers):
        raise JournalConflict("a transfer has a negative amount")
    if not transfers:
        return
    session.execute(insert(Transfer), [sealed(Transfer, transfer) for transfer in transfers])
    _post(session, [Transfer(**transfer) for transfer in transfers if not transfer["pending"]])
    session.flush()


def resolve(session: Session, transfer_id: str, outcome: TransferEnd, now: int) -> None:
    """As `resolve_all`, of one."""
    resolve_all(session, [transfer_id], outcome, now)


def resolve_all(session: Session, transfers: Sequence[str], outcome: TransferEnd, now: int) -> None:
    """End pending transfers as `posted` or `voided`; the same end again changes nothing.

    Raises NotFound and JournalConflict.
    """
    for start in range(0, len(transfers), AT_ONCE):
        _resolve(session, transfers[start : start + AT_ONCE], outcome, now)


def _resolve(session: Session, names: Sequence[str], outcome: TransferEnd, now: int) -> None:
    ends = select(Transfer, Resolution.outcome).join(Resolution, col(Resolution.transfer) == Transfer.id, isouter=True)
    rows = session.exec(ends.where(col(Transfer.id).in_(names))).all()
    by_id = {row.id: row for row, _ in rows}
    ended = {row.id: end for row, end in rows if end is not None}
    for name in names:
        _require_pending(by_id.get(name), name)
        if ended.get(name, outcome) != outcome:
            raise JournalConflict(f"transfer {name} is {ended[name]} already")
    fresh = [name for name in names if name not in ended]
    columns = [sealed(Resolution, {"transfer": name, "outcome": outcome, "made": now}) for name in fresh]
    if columns:
        session.execute(insert(Resolution), columns)
    if outcome == TransferEnd.POSTED:
        _post(session, [by_id[name] for name in fresh])
    session.flush()


def _require_pending(transfer: Transfer | None, name: str) -> None:
    """Raises NotFound and JournalConflict."""
    if transfer is None:
        raise NotFound(f"no transfer {name}")
    if not transfer.pending:
        raise JournalConflict(f"transfer {name} was never pending")


def _post(session: Session, transfers: Iterable[Transfer]) -> None:
    """Add posted transfers to the sums of their accounts, so that no reader adds them up again."""
    moved: dict[tuple[str, str], list[int]] = {}
    for transfer in transfers:
        moved.setdefault((transfer.book, transfer.credit), [0, 0])[0] += transfer.amount
        moved.setdefault((transfer.book, transfer.debit), [0, 0])[1] += transfer.amount
    rows = {(row.book, row.account): row for row in _rows_of(session, sorted(moved))}
    for (book, account), (credited, debited) in moved.items():
        row = rows.get((book, account)) or Balance(book=book, account=account, credited=0, debited=0)
        row.credited = row.credited + credited
        row.debited = row.debited + debited
        session.add(row)


def _rows_of(session: Session, accounts: Sequence[tuple[str, str]]) -> Iterator[Balance]:
    """The balances of these (book, account), of those that have any."""
    for start in range(0, len(accounts), AT_ONCE):
        part = accounts[start : start + AT_ONCE]
        for book in sorted({book for book, _ in part}):
            names = [account for owner, account in part if owner == book]
            yield from session.exec(select(Balance).where(Balance.book == book, col(Balance.account).in_(names)))


def balances(session: Session, book: str) -> dict[str, int]:
    """Credits less debits per account, added up anew from every posted transfer; they sum to 0."""
    moved = select(Transfer.debit, Transfer.credit, Transfer.amount).where(*_posted(book))
    totals: dict[str, int] = {}
    for debit, credit, amount in session.exec(moved.execution_options(yield_per=10_000)):
        totals[debit] = totals.get(debit, 0) - amount
        totals[credit] = totals.get(credit, 0) + amount
    return totals


def balance(session: Session, book: str, account: str) -> int:
    """Credits less debits of one account, over posted transfers."""
    row = session.get(Balance, (book, account))
    return 0 if row is None else row.credited - row.debited


def kept(session: Session, book: str) -> dict[str, int]:
    """As `balances`, by the stored sums."""
    return _read(session, select(Balance).where(Balance.book == book))


def page(session: Session, book: str, after: str, limit: int) -> dict[str, int]:
    """As `kept`, of the next accounts after one, in the database's order."""
    query = select(Balance).where(Balance.book == book, col(Balance.account) > after)
    return _read(session, query.order_by(col(Balance.account)).limit(limit))


def require_book(book: str) -> None:
    """Raises NotFound for a book that does not exist."""
    if book not in BOOKS:
        raise NotFound(f"no book {book[:40]!r}; the books are {' and '.join(BOOKS)}")


def accounts_of(book: str, requested: Sequence[str]) -> list[str]:
    """Account names in a book for names in a request: an address in `units` is two accounts, owed and minted."""
    names: list[str] = []
    for name in requested:
        if not is_hex_address(name) or not name.startswith("0x"):
            names.append(name)
            continue
        address = str(to_checksum_address(name))
        names += [f"{part}:{address}" for part in OF_A_PAYEE] if book == "units" else [address]
    return names


def balances_of(session: Session, book: str, accounts: Sequence[str]) -> dict[str, int]:
    """As `kept`, of these accounts: 0 for one without a transfer."""
    amounts = _read(session, select(Balance).where(Balance.book == book, col(Balance.account).in_(accounts)))
    return {name: amounts.get(name, 0) for name in sorted(set(accounts))}


def _read(session: Session, query: SelectOfScalar[Balance]) -> dict[str, int]:
    return {row.account: row.credited - row.debited for row in session.exec(query)}


def _posted(book: str) -> tuple[Any, ...]:
    """Conditions of a book's posted transfers: never pending, or posted in the end."""
    posted = select(Resolution.transfer).where(Resolution.outcome == TransferEnd.POSTED)
    return col(Transfer.book) == book, or_(col(Transfer.pending).is_(False), col(Transfer.id).in_(posted))


def _contents(transfer: Transfer) -> tuple[object, ...]:
    return transfer.book, transfer.debit, transfer.credit, transfer.amount, transfer.pending
