"""Double entry: immutable transfers, idempotent by id; a pending one is posted or voided at most once.

Two books: `work` counts verified tokens, `units` counts ownership in 1e-18 tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_utils import is_hex_address, to_checksum_address
from sqlalchemy import Integer, Numeric, String, func, insert, literal, or_, type_coerce, union_all
from sqlmodel import Session, col, select

from ledger.errors import JournalConflict, NotFound
from ledger.seals import sealed
from ledger.tables import Resolution, Transfer

BOOKS = ("work", "units")
OF_A_PAYEE = ("owed", "minted")
"""Accounts of the book `units` that each payee has."""
_DIGITS = 10
"""Of an amount (78 digits), as many are added up at one time on SQLite, whose sums have 64 bits."""


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


def add(session: Session, transfer: Transfer) -> None:
    """Add a transfer whose id is new; the database refuses one that is not, when it is written."""
    if transfer.amount < 0:
        raise JournalConflict(f"transfer {transfer.id} has a negative amount")
    session.add(transfer)


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
    moved = select(Transfer.debit, Transfer.credit, Transfer.amount).where(*_posted(book))
    totals: dict[str, int] = {}
    for debit, credit, amount in session.exec(moved.execution_options(yield_per=10_000)):
        totals[debit] = totals.get(debit, 0) - amount
        totals[credit] = totals.get(credit, 0) + amount
    return totals


def balance(session: Session, book: str, account: str) -> int:
    """Credits less debits of one account, over what is posted."""
    moved = select(Transfer.debit, Transfer.credit, Transfer.amount).where(*_posted(book))
    mine = moved.where(or_(col(Transfer.debit) == account, col(Transfer.credit) == account))
    return sum(amount * ((credit == account) - (debit == account)) for debit, credit, amount in session.exec(mine))


def page(session: Session, book: str, after: str, limit: int) -> dict[str, int]:
    """As `balances`, of the next accounts after one, in the database's order."""
    return _sums(session, book, lambda account: account > after, limit)


def require_book(book: str) -> None:
    """Raises NotFound for a book that is not kept."""
    if book not in BOOKS:
        raise NotFound(f"no book {book[:40]!r}; the books are {' and '.join(BOOKS)}")


def accounts_of(book: str, asked: Sequence[str]) -> list[str]:
    """Names in a book by what people ask for: an address in `units` means what it is owed and what was minted to it."""
    names: list[str] = []
    for name in asked:
        if not is_hex_address(name) or not name.startswith("0x"):
            names.append(name)
            continue
        address = str(to_checksum_address(name))
        names += [f"{part}:{address}" for part in OF_A_PAYEE] if book == "units" else [address]
    return names


def balances_of(session: Session, book: str, accounts: Sequence[str]) -> dict[str, int]:
    """As `balances`, of these accounts: 0 for one without a transfer."""
    found = _sums(session, book, lambda account: account.in_(accounts), len(accounts))
    return {name: found.get(name, 0) for name in sorted(set(accounts))}


def _sums(session: Session, book: str, wanted: Callable[[Any], Any], limit: int) -> dict[str, int]:
    """Added up by the database: what a request reads into memory does not grow with the journal."""
    sides: list[Any] = [
        select(col(side).label("account"), col(Transfer.amount).label("amount"), literal(sign).label("sign")).where(
            *_posted(book), wanted(col(side))
        )
        for side, sign in ((Transfer.credit, 1), (Transfer.debit, -1))
    ]
    moved = union_all(*sides).subquery()
    parts = _parts(moved.c.amount, session.get_bind().dialect.name == "sqlite")
    sums = [func.sum(part * moved.c.sign) for part in parts]
    rows = session.execute(select(moved.c.account, *sums).group_by(moved.c.account).order_by("account").limit(limit))
    return {row[0]: sum(int(part) * 10 ** (_DIGITS * place) for place, part in enumerate(row[1:])) for row in rows}


def _parts(amount: Any, in_text: bool) -> list[Any]:
    """An amount as numbers that a sum holds exactly, the lowest digits first."""
    if not in_text:
        return [type_coerce(amount, Numeric(78, 0))]
    text = type_coerce(amount, String)
    starts = range(78 + 1 - _DIGITS, 1 - _DIGITS, -_DIGITS)
    return [func.substr(text, max(start, 1), min(_DIGITS, _DIGITS + start - 1)).cast(Integer) for start in starts]


def _posted(book: str) -> tuple[Any, ...]:
    """Of a book, what was never pending or was posted in the end."""
    posted = select(Resolution.transfer).where(Resolution.outcome == "posted")
    return col(Transfer.book) == book, or_(col(Transfer.pending).is_(False), col(Transfer.id).in_(posted))


def _contents(transfer: Transfer) -> tuple[object, ...]:
    return transfer.book, transfer.debit, transfer.credit, transfer.amount, transfer.pending
