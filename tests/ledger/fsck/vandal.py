"""Writing to a ledger's database past its guards, as a broken disk or its owner could."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, Table, text
from sqlmodel import Session, SQLModel

from ledger.fsck.finding import Finding
from ledger.storage.store import Store
from ledger.storage.tables import Units


@contextmanager
def unguarded(store: Store) -> Iterator[Session]:
    """A session on a database whose triggers are gone; commits on leaving."""
    with store.engine.connect() as connection:
        for statement in _without_triggers(connection):
            connection.execute(text(statement))
        connection.commit()
    with Session(store.engine) as session:
        if store.engine.dialect.name == "sqlite":
            session.connection().execute(text("BEGIN"))
        yield session
        session.commit()


def flip_every_column(store: Store, look: Callable[[], list[Finding]]) -> Iterator[tuple[str, str, list[Finding]]]:
    """Flip one bit in each column of one row of each table, look, and put it back."""
    with unguarded(store):
        pass
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            if (back := _flip(store, table, column.name)) is None:
                continue
            yield table.name, column.name, look()
            back()


def _flip(store: Store, table: Table, column: str) -> Callable[[], None] | None:
    """Flip in the table's first row; returns how to put it back, or None for an empty table."""
    quoted = f'"{column}"'
    keys = [c.name for c in table.primary_key.columns]
    with store.engine.begin() as connection:
        names = ", ".join(f'"{name}"' for name in keys)
        row = connection.execute(text(f'SELECT {names}, {quoted} FROM "{table.name}" LIMIT 1')).first()
        if row is None:
            return None
        old, where = _plain(row[-1]), dict(zip(keys, row[:-1], strict=True))
        new = flipped(old, numbers=isinstance(table.columns[column].type, Integer | Units))
        _set(connection, table, quoted, new, where)
    moved = where | ({column: new} if column in where else {})

    def back() -> None:
        with store.engine.begin() as again:
            _set(again, table, quoted, old, moved)

    return back


def _set(connection: Connection, table: Table, quoted: str, value: Any, where: dict[str, Any]) -> None:
    condition = " AND ".join(f'"{name}" = :k{place}' for place, name in enumerate(where))
    keys = {f"k{place}": part for place, part in enumerate(where.values())}
    connection.execute(text(f'UPDATE "{table.name}" SET {quoted} = :value WHERE {condition}'), keys | {"value": value})


def flipped(value: Any, numbers: bool) -> Any:
    """The stored value with one bit changed; nothing turns into a 1, of the kind that the column holds."""
    if value is None:
        return 1 if numbers else "1"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Decimal):
        return int(value) ^ (1 << 20)  # a low bit may give a key that another row has
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if value.endswith(("]", "}")):  # PostgreSQL takes no document that is none
        return f"[{value}]"
    return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "\x01"


def _plain(value: Any) -> Any:
    """PostgreSQL's driver decodes documents."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def _without_triggers(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        return [f'DROP TRIGGER "{name}"' for name in names]
    return [f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER' for table in SQLModel.metadata.sorted_tables]
