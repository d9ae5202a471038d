"""The database's own word: append-only tables refuse changes, writers come one after the other."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Integer, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

from ledger import log
from ledger.store import APPEND_ONLY, Store
from ledger.tables import Cursor, LogEntry, Units

pytestmark = pytest.mark.unit
SAMPLES: tuple[tuple[type, Any], ...] = ((Units, 1), (JSON, {}), (Boolean, True), (Integer, 1))


def _fill(session: Session, table: str) -> None:
    """One row of any table, with a value of each column's type."""
    columns = SQLModel.metadata.tables[table].columns
    row = {c.name: next((value for kind, value in SAMPLES if isinstance(c.type, kind)), "x") for c in columns}
    session.connection().execute(SQLModel.metadata.tables[table].insert().values(row))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One row in every append-only table."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('filled') / 'ledger.db'}")
    with store.write() as session:
        for table in APPEND_ONLY:
            _fill(session, table)
    return store


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "INSERT OR REPLACE"])
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_refuses(filled: Store, table: str, verb: str) -> None:
    column = next(iter(SQLModel.metadata.tables[table].columns)).name
    statement = {
        "UPDATE": f'UPDATE "{table}" SET "{column}" = "{column}"',
        "DELETE": f'DELETE FROM "{table}"',
        "INSERT OR REPLACE": f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}"',
    }[verb]
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), filled.write() as session:
        session.connection().execute(text(statement))
    with filled.read() as session:
        assert session.connection().execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one() == 1


def test_the_triggers_hold_for_other_programs_too(store: Store, tmp_path: Path) -> None:
    """Whoever opens the file with another client is refused as well."""
    with store.write() as session:
        log.append(session, "event", value=1)
    foreign = sqlite3.connect(tmp_path / "ledger.db")
    for statement in (
        "UPDATE logentry SET body = 'forged'",
        "DELETE FROM logentry",
        "INSERT OR REPLACE INTO logentry VALUES (0, 'forged')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            foreign.execute(statement)
    foreign.close()


def test_every_table_of_record_is_append_only() -> None:
    """A new table must say here that its rows change, or be guarded."""
    changing = {
        "run", "node", "anchor", "round", "participant", "proof", "epoch", "outgoing", "cursor", "decision", "proposal",
        "appeal", "seat",
    }  # fmt: skip
    assert set(SQLModel.metadata.tables) - set(APPEND_ONLY) == changing


def test_an_exception_rolls_everything_back(store: Store) -> None:
    def broken() -> None:
        with store.write() as session:
            log.append(session, "event")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with store.read() as session:
        assert log.size(session) == 0


def test_what_a_reader_changes_is_not_kept(store: Store) -> None:
    with store.read() as session:
        session.add(Cursor(name="final", block=1, hash="0x"))
        session.flush()
    with store.read() as session:
        assert session.get(Cursor, "final") is None


def test_writers_at_once_lose_no_entry(store: Store) -> None:
    """Each appends at the index after the last: two that overlapped would take the same one."""

    def write() -> None:
        for _ in range(5):
            with store.write() as session:
                log.append(session, "event")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert [e.index for e in log.bodies(session, 0, 100)] == list(range(20))


def test_an_index_is_taken_once(store: Store) -> None:
    with store.write() as session:
        log.append(session, "event")
    with pytest.raises(IntegrityError), store.write() as session:
        session.add(LogEntry(index=0, body="another"))
