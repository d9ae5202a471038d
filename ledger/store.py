"""The database: sessions that write alone, and triggers that hold append-only tables to their word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text
from sqlmodel import Session, SQLModel, create_engine

from ledger import audit_tables, tables

APPEND_ONLY = (*tables.APPEND_ONLY, *audit_tables.APPEND_ONLY)

_SQLITE_TRIGGER = """CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON "{table}"
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
# INSERT OR REPLACE deletes the old row without firing its DELETE trigger
_SQLITE_REPLACE_TRIGGER = """CREATE TRIGGER IF NOT EXISTS {table}_no_REPLACE BEFORE INSERT ON "{table}"
WHEN EXISTS (SELECT 1 FROM "{table}" WHERE {taken})
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
_POSTGRES_FUNCTION = """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"""
_POSTGRES_TRIGGER = """CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON "{table}"
FOR EACH ROW EXECUTE FUNCTION refuse_change()"""


class Store:
    """One database. Writers are serial (BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL)."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
        self._sqlite = self.engine.dialect.name == "sqlite"
        if self._sqlite:
            event.listen(self.engine, "connect", _sqlite_pragmas)
        self._create()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that no other writer runs beside; commits on leaving, rolls back on an exception."""
        with Session(self.engine, expire_on_commit=False) as session:
            session.connection().execute(
                text("BEGIN IMMEDIATE" if self._sqlite else "SELECT pg_advisory_xact_lock(7417)")
            )
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot; nothing that is changed in it is kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            if self._sqlite:
                session.connection().execute(text("BEGIN"))
            yield session
            session.expunge_all()  # what was read stays readable; the rollback would expire it

    def _create(self) -> None:
        with self.write() as session:
            SQLModel.metadata.create_all(session.connection())
            for statement in self._trigger_statements():
                session.connection().execute(text(statement))

    def _trigger_statements(self) -> list[str]:
        if not self._sqlite:
            return [_POSTGRES_FUNCTION, *(_POSTGRES_TRIGGER.format(table=t) for t in APPEND_ONLY)]
        verbs = ("UPDATE", "DELETE")
        plain = [_SQLITE_TRIGGER.format(table=t, verb=verb) for t in APPEND_ONLY for verb in verbs]
        return plain + [_SQLITE_REPLACE_TRIGGER.format(table=t, taken=_taken(t)) for t in APPEND_ONLY]


def _taken(table: str) -> str:
    """SQL for "a row with one of the new row's keys exists"."""
    columns = SQLModel.metadata.tables[table].columns
    keys = [[c.name for c in columns if c.primary_key], *([c.name] for c in columns if c.unique)]
    return " OR ".join("(" + " AND ".join(f'"{name}" = NEW."{name}"' for name in key) + ")" for key in keys)


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    # the driver would otherwise begin its transactions late, and two readers could both turn into writers
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
