"""Every row against its own seal."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Boolean, Integer, inspect, type_coerce
from sqlmodel import Session, select

from ledger.fsck.finding import Finding
from ledger.storage.seals import SealedRow, expected_seal

BATCH = 2_000


def sealed_tables() -> list[type[SealedRow]]:
    """All tables whose rows carry seals, by name."""
    tables = (kind for kind in SealedRow.__subclasses__() if hasattr(kind, "__table__"))
    return sorted(tables, key=lambda kind: str(kind.__tablename__))


def check_rows(session: Session) -> Iterator[Finding]:
    """A finding for every row that is not what was written."""
    for table in sealed_tables():
        yield from _odd_booleans(session, table)
        try:
            for row in session.exec(select(table).execution_options(yield_per=BATCH)):
                yield from _check(table, row)
        except (ValueError, TypeError, LookupError) as error:  # a column that does not read as its type any more
            yield from _unreadable(session, table, error)


def _odd_booleans(session: Session, table: type[SealedRow]) -> Iterator[Finding]:
    """SQLite keeps any number in a boolean's place, and every number but 0 reads as true."""
    if session.connection().dialect.name != "sqlite":
        return
    mapper = inspect(table)
    for column in (c for c in mapper.columns if isinstance(c.type, Boolean)):
        odd = select(*mapper.primary_key).where(type_coerce(column, Integer).not_in([0, 1]))
        for key in session.execute(odd).all():
            yield Finding(
                str(table.__tablename__), ", ".join(map(str, key)), f"has neither true nor false as {column.name}"
            )


def _check(table: type[SealedRow], row: SealedRow) -> Iterator[Finding]:
    if row.seal != expected_seal(row):
        key = ", ".join(str(part) for part in inspect(row).identity or ())
        yield Finding(str(table.__tablename__), key, "is not what was written: its seal is broken")


def _unreadable(session: Session, table: type[SealedRow], error: Exception) -> Iterator[Finding]:
    """Read the rows one by one, by key, so that the bad row is named and the others are still checked."""
    keys = inspect(table).primary_key
    for key in session.execute(select(*keys)).all():
        try:
            row = session.get(table, tuple(key), populate_existing=True)
        except (ValueError, TypeError, LookupError):
            yield Finding(str(table.__tablename__), ", ".join(map(str, key)), f"cannot be read: {error}")
            continue
        if row is not None:
            yield from _check(table, row)
