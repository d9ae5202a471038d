"""Tables that take inserts alone, and the triggers by which either database enforces that.

SQLite's INSERT OR REPLACE deletes a row without firing its DELETE trigger, so a third trigger refuses any insert that
would meet a row: under one of its keys, or under its row id. ON CONFLICT DO UPDATE fires the UPDATE trigger on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, UniqueConstraint, text
from sqlmodel import SQLModel

from ledger.storage.tables import APPEND_ONLY

Keys = Sequence[Sequence[str]]

_SQLITE = """CREATE TRIGGER "{table}_no_{verb}" BEFORE {verb} ON "{table}"{when}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
# the error class of a violated constraint, as on SQLite
_POSTGRES_FUNCTION = """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"""
_POSTGRES = {
    "append_only": "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW",
    "no_truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
}


def keys_of(table: Table) -> list[list[str]]:
    """The column names of each set of columns in which no two rows are alike, the primary key first."""
    unique = [c.columns for c in table.constraints if isinstance(c, UniqueConstraint)]
    unique += [index.columns for index in table.indexes if index.unique]
    return [table.primary_key.columns.keys(), *sorted(columns.keys() for columns in unique)]


def wanted_guards() -> dict[str, list[list[str]]]:
    """Every append-only table with its keys."""
    return {name: keys_of(SQLModel.metadata.tables[name]) for name in APPEND_ONLY}


def grants_for(role: str) -> list[str]:
    """Grants for a PostgreSQL role that runs a server, by the owner of the tables."""
    name = f'"{role}"'
    changing = [f'"{table}"' for table in sorted(set(SQLModel.metadata.tables) - set(APPEND_ONLY))]
    every = [f'"{table}"' for table in sorted(SQLModel.metadata.tables)]
    return [
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT ON alembic_version TO {name}",
        f"GRANT SELECT, INSERT ON {', '.join(every)} TO {name}",
        f"GRANT UPDATE, DELETE ON {', '.join(changing)} TO {name}",
    ]


def guard(connection: Connection, table: str, keys: Keys) -> None:
    """Make (or make again) the triggers of a table."""
    statements = _sqlite(table, keys) if connection.dialect.name == "sqlite" else _postgres(table)
    for statement in statements:
        connection.execute(text(statement))


def unguarded(connection: Connection, guards: Mapping[str, Keys]) -> list[str]:
    """The tables that lack a trigger, or have another than they should."""
    if connection.dialect.name == "sqlite":
        triggers = set(connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")).scalars())
        return [t for t, keys in guards.items() if not {s for s in _sqlite(t, keys) if "CREATE" in s} <= triggers]
    always = text("SELECT tgname FROM pg_trigger WHERE tgenabled = 'A' AND tgrelid = to_regclass(:table)")
    triggers_of = {t: set(connection.execute(always, {"table": f'"{t}"'}).scalars()) for t in guards}
    return [table for table in guards if not {f"{table}_{name}" for name in _POSTGRES} <= triggers_of[table]]


def _sqlite(table: str, keys: Keys) -> list[str]:
    new_row = [" AND ".join(f'"{name}" = NEW."{name}"' for name in key) for key in keys]
    taken = " OR ".join(f"({same})" for same in (*new_row, "rowid = NEW.rowid"))
    replaces = f'\nWHEN EXISTS (SELECT 1 FROM "{table}" WHERE {taken})'  # noqa: S608 - names of our own tables
    statements = []
    for verb, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", replaces)):
        statements += [
            f'DROP TRIGGER IF EXISTS "{table}_no_{verb}"',
            _SQLITE.format(table=table, verb=verb, when=when),
        ]
    return statements


def _postgres(table: str) -> list[str]:
    statements = [_POSTGRES_FUNCTION]
    for name, when in _POSTGRES.items():
        fires = when.format(table=f'"{table}"')
        statements += [
            f'CREATE OR REPLACE TRIGGER "{table}_{name}" {fires} EXECUTE FUNCTION refuse_change()',
            # session_replication_role = replica switches ordinary triggers off
            f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{table}_{name}"',
        ]
    return statements
