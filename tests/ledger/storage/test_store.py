"""The database's own word, on SQLite and on PostgreSQL: append-only tables refuse changes, writers wait their turn.

What other programs may try they try here with plain SQL; what a busy or absent database does to a caller is tried on
real ones that are locked, killed or not there.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Integer, LargeBinary, Table, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, SQLModel

from contracts.errors import BadField
from ledger.books import log
from ledger.errors import DatabaseUnreachable, DatabaseUnusable, LedgerBusy
from ledger.storage.append_only import keys_of
from ledger.storage.store import Store
from ledger.storage.tables import APPEND_ONLY, Cursor, LogEntry, Transfer, Units
from tests.databases import fresh_database
from tests.holds import Threat, holds
from tests.ledger.leaves import append

pytestmark = pytest.mark.integration
LARGEST, LARGEST_UNITS = 2**63 - 1, 2**256 - 1
SAMPLES: tuple[tuple[type, Any], ...] = (
    (Units, LARGEST_UNITS),
    (JSON, {}),
    (Boolean, True),
    (Integer, LARGEST),
    (LargeBinary, b"x"),
)
SHORT = 0.3
only_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


def sample(column: Any) -> Any:
    """The largest value that a column must hold."""
    return next((value for kind, value in SAMPLES if isinstance(column.type, kind)), "x")


@pytest.fixture(scope="module")
def filled(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One row in every table."""
    with fresh_database(database_kind, tmp_path_factory.mktemp("filled")) as url:
        store = Store(url)
        with store.write() as session:
            for table in SQLModel.metadata.sorted_tables:
                session.execute(table.insert().values({c.name: sample(c) for c in table.columns}))
        yield store
        store.engine.dispose()


# ---- every column


def test_every_column_gives_back_its_largest_value(filled: Store) -> None:
    """64 bits, 256 for units: PostgreSQL would otherwise end at 2^31."""
    with filled.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            row = session.execute(select(table)).one()
            assert row._mapping == {c.name: sample(c) for c in table.columns}, table.name


def test_units_are_summed_by_no_float(store: Store) -> None:
    """The exact sum of uint256 amounts; the database's own sum would be a float on SQLite."""
    amounts = [LARGEST_UNITS, LARGEST_UNITS, 0, 1, 10**18]
    with store.write() as session:
        for number, amount in enumerate(amounts):
            session.add(
                Transfer(id=str(number), book="units", debit="a", credit="b", amount=amount, pending=False, made=1)
            )
    with store.read() as session:
        rows = select(Transfer.__table__.c.amount).order_by(Transfer.__table__.c.amount)  # type: ignore[attr-defined]
        assert list(session.execute(rows).scalars()) == sorted(amounts)


# ---- append-only


def _columns(table: Table) -> str:
    return ", ".join(f'"{c.name}"' for c in table.columns)


def _upsert(table: Table) -> str:
    keys = ", ".join(f'"{c}"' for c in keys_of(table)[0])
    first = next(iter(table.columns)).name
    return (
        f'INSERT INTO "{table.name}" SELECT * FROM "{table.name}" WHERE true '
        f'ON CONFLICT ({keys}) DO UPDATE SET "{first}" = excluded."{first}"'
    )


def _replace_by_row_id(table: Table) -> str:
    """Another key under the row id of a row: SQLite would delete that row for it."""
    changed = ", ".join(f"\"{c.name}\" || 'y'" if sample(c) == "x" else f'"{c.name}"' for c in table.columns)
    return (
        f'INSERT OR REPLACE INTO "{table.name}" (rowid, {_columns(table)}) SELECT rowid, {changed} FROM "{table.name}"'
    )


ATTEMPTS: dict[str, Callable[[Table], str]] = {
    "UPDATE": lambda t: f'UPDATE "{t.name}" SET "{next(iter(t.columns)).name}" = "{next(iter(t.columns)).name}"',
    "DELETE": lambda t: f'DELETE FROM "{t.name}"',
    "ON CONFLICT DO UPDATE": _upsert,
}
SQLITE_ATTEMPTS: dict[str, Callable[[Table], str]] = {
    "INSERT OR REPLACE": lambda t: f'INSERT OR REPLACE INTO "{t.name}" SELECT * FROM "{t.name}"',
    "INSERT OR REPLACE by row id": _replace_by_row_id,
}
POSTGRES_ATTEMPTS: dict[str, Callable[[Table], str]] = {
    "TRUNCATE": lambda t: f'TRUNCATE "{t.name}"',
    "DELETE as a replica": lambda t: f'SET LOCAL session_replication_role = replica; DELETE FROM "{t.name}"',
    "MERGE": lambda t: f'MERGE INTO "{t.name}" USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE',
}


def test_an_append_only_table_refuses(filled: Store, database_kind: str) -> None:
    special = SQLITE_ATTEMPTS if database_kind == "sqlite" else POSTGRES_ATTEMPTS
    for name in APPEND_ONLY:
        table = SQLModel.metadata.tables[name]
        for attempt, statement in {**ATTEMPTS, **special}.items():
            with pytest.raises(IntegrityError, match=f"{name} is append-only"):
                _run(filled, statement(table))
            with filled.read() as session:
                kept = session.execute(select(func.count()).select_from(table)).scalar_one()
                assert kept == 1, f"{attempt} on {name}"


def _run(store: Store, statement: str) -> None:
    with store.write() as session:
        for part in statement.split(";"):
            session.connection().execute(text(part))


@only_sqlite
def test_a_row_with_another_rows_unique_value_replaces_nothing(store: Store) -> None:
    """Not the primary key alone: a payout's leaf is unique as well."""
    table = SQLModel.metadata.tables["payout"]
    row = {c.name: sample(c) for c in table.columns}
    with store.write() as session:
        session.execute(table.insert().values(row))
    with pytest.raises(IntegrityError, match="append-only"), store.write() as session:
        session.execute(table.insert().prefix_with("OR REPLACE").values({**row, "index": 7}))


@holds(
    "Append-only tables only grow, for every database client", by="ledger/storage/store.py:Store", against=Threat.CRASH
)
def test_the_triggers_hold_for_other_programs_too(tmp_path: Path) -> None:
    """Whoever opens the file with another client is refused as well."""
    store = Store(f"sqlite:///{tmp_path / 'ledger.db'}")
    with store.write() as session:
        append(session, "event", value=1)
    foreign = sqlite3.connect(tmp_path / "ledger.db")
    for statement in ("UPDATE logentry SET body = 'forged'", "DELETE FROM logentry"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            foreign.execute(statement)
    foreign.close()


def test_every_table_of_record_is_append_only() -> None:
    """A new table must say here that its rows change, or be guarded."""
    changing = {
        "epoch",
        "hostoffer",
        "hostreport",
        "outgoing",
        "cursor",
        "decision",
        "proposal",
        "header",
        "lease",
        "pendingevent",
        "announced",
        "mirror",
        "runview",
        "roundview",
        "proofview",
        "vote",
        "delegation",
        "relayspending",
        "relayday",
        "balance",
        "nodeview",
        "takenview",
        "creditview",
        "faultview",
    }
    assert set(SQLModel.metadata.tables) - set(APPEND_ONLY) == changing


@pytest.mark.parametrize("outcome", ["posted", "voided"])
def test_the_database_itself_keeps_the_first_end_of_a_transfer(store: Store, outcome: str) -> None:
    """Whatever the code would do: a transfer has one row of Resolution, and it stays as it is."""
    table = SQLModel.metadata.tables["resolution"]
    row = {c.name: sample(c) for c in table.columns} | {"transfer": "t"}
    with store.write() as session:
        session.execute(table.insert().values(row | {"outcome": "posted"}))
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(table.insert().values(row | {"outcome": outcome}))
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(table.update().values(outcome=outcome))
    with store.read() as session:
        assert session.execute(select(table.c.outcome)).scalars().all() == ["posted"]


# ---- transactions


def test_an_exception_rolls_everything_back(store: Store) -> None:
    def broken() -> None:
        with store.write() as session:
            append(session, "event")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with store.read() as session:
        assert log.size(session) == 0


def test_a_reader_can_change_nothing(store: Store) -> None:
    def change() -> None:
        with store.read() as session:
            session.add(Cursor(name="final", block=1, hash="0x"))
            session.flush()

    with pytest.raises((DBAPIError, DatabaseUnusable), match=r"(?i)read-?only"):
        change()
    with store.write() as session:  # on the same connection
        session.add(Cursor(name="final", block=1, hash="0x"))
    with store.read() as session:
        assert session.get_one(Cursor, "final").block == 1


def test_a_reader_sees_one_moment(store: Store) -> None:
    """What is committed beside it comes to the next reader."""
    with store.read() as session:
        assert log.size(session) == 0
        with store.write() as writer:
            append(writer, "event")
        assert log.size(session) == 0
        assert log.bodies(session, 0, 10) == []
    with store.read() as session:
        assert log.size(session) == 1


def test_a_writer_sees_what_was_committed_while_it_waited(store: Store, database: str) -> None:
    """A snapshot from before the wait would number its entry as the other's."""
    other = Store(database)
    with store.write() as session:
        thread = threading.Thread(target=lambda: _append(other))
        thread.start()
        thread.join(SHORT)  # it waits by now, or will
        append(session, "event")
    thread.join()
    with store.read() as session:
        assert [e.index for e in log.bodies(session, 0, 10)] == [0, 1]
    other.engine.dispose()


@holds("Concurrent writers lose no entry", by="ledger/storage/store.py:Store.write", against=Threat.CRASH)
def test_writers_at_once_lose_no_entry(store: Store, database: str) -> None:
    """Each appends at the index after the last: two that overlapped would take the same one."""
    stores = [store, store, Store(database), Store(database)]
    threads = [threading.Thread(target=_append_five, args=(s,)) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert [e.index for e in log.bodies(session, 0, 100)] == list(range(20))
    for opened in stores:
        opened.engine.dispose()


def test_an_index_is_taken_once(store: Store) -> None:
    _append(store)
    with pytest.raises(IntegrityError), store.write() as session:
        session.add(LogEntry(index=0, body="another"))


def _append(store: Store) -> None:
    with store.write() as session:
        append(session, "event")


# ---- a database that is busy, gone or none


@pytest.fixture
def hasty(store: Store, database: str) -> Iterator[Store]:
    """Another process on the same database as `store`, that does not wait long."""
    made = Store(database, wait=SHORT)
    yield made
    made.engine.dispose()


def test_a_writer_whose_turn_does_not_come_is_told_to_come_again(store: Store, hasty: Store) -> None:
    with store.write():
        with pytest.raises(LedgerBusy) as refusal:
            _append(hasty)
        assert refusal.value.status == 503
        with hasty.read() as session:  # readers do not wait for writers
            assert log.size(session) == 0
    _append(hasty)


def test_writers_of_one_process_wait_no_longer_either(hasty: Store) -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            _append(hasty)
        except LedgerBusy as error:
            caught.append(error)

    with hasty.write():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert len(caught) == 1
    _append(hasty)


@pytest.fixture
def foreign(store: Store) -> Iterator[Session]:
    """Another program on the same server, that keeps to no turn."""
    with Session(store.engine) as session:
        yield session


@only_postgresql
def test_a_lock_of_another_program_is_waited_for_no_longer(foreign: Session, hasty: Store) -> None:
    foreign.execute(text("LOCK TABLE logentry IN ACCESS EXCLUSIVE MODE"))
    with pytest.raises(LedgerBusy):
        _append(hasty)
    foreign.rollback()
    _append(hasty)


@only_postgresql
def test_a_deadlock_with_another_program_is_a_busy_database(foreign: Session, store: Store) -> None:
    foreign.execute(text("LOCK TABLE lease"))

    def deadlock() -> None:
        with store.write() as session:
            session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))  # this one looks first, and is the victim
            session.execute(text("LOCK TABLE epoch"))
            waiting.start()
            while not _waits(session):
                pass
            session.execute(text("LOCK TABLE lease"))

    waiting = threading.Thread(target=lambda: foreign.execute(text("LOCK TABLE epoch")))
    with pytest.raises(LedgerBusy):
        deadlock()
    waiting.join()
    foreign.rollback()
    _append(store)


def _waits(session: Session) -> bool:
    return bool(session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


def _hang_up(foreign: Session) -> None:
    """End all other connections to the database, as a restart of the server does."""
    foreign.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )
    foreign.rollback()  # a transaction sees one list of connections


@only_postgresql
def test_connections_that_were_lost_while_idle_are_not_noticed(foreign: Session, hasty: Store) -> None:
    _append(hasty)
    _hang_up(foreign)
    _append(hasty)
    _hang_up(foreign)
    with hasty.read() as session:
        assert log.size(session) == 2


@only_postgresql
def test_a_connection_that_is_lost_in_the_middle_keeps_nothing(foreign: Session, hasty: Store) -> None:
    def lose() -> None:
        with hasty.write() as session:
            append(session, "lost")
            _hang_up(foreign)

    def lose_reading() -> None:
        with hasty.read() as session:
            _hang_up(foreign)
            log.size(session)

    for losing in (lose, lose_reading):
        with pytest.raises(DatabaseUnreachable):
            losing()
    _append(hasty)
    with hasty.read() as session:
        assert [entry.body for entry in log.bodies(session, 0, 10)] == ['{"kind":"event"}']


@only_postgresql
def test_a_writer_that_hangs_with_the_lock_in_its_hand_is_ended(foreign: Session, hasty: Store) -> None:
    def hang() -> None:
        with hasty.write() as session:
            append(session, "lost")
            session.execute(text("SET idle_in_transaction_session_timeout = 100"))
            foreign.execute(text("SELECT pg_sleep(0.3)"))
            append(session, "lost")

    with pytest.raises(DatabaseUnreachable):
        hang()
    _append(hasty)
    with hasty.read() as session:
        assert log.size(session) == 1


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable) as refusal:
        Store(f"postgresql+psycopg://nobody:hidden@/none?host={tmp_path}", wait=SHORT)
    assert refusal.value.status == 503
    assert "hidden" not in refusal.value.detail


def test_a_server_that_takes_the_connection_and_is_silent() -> None:
    """Before, the driver's time-out was taken for a fault of ours: each request answered 500 with a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DatabaseUnreachable) as refusal:
            Store(f"postgresql+psycopg://nobody:hidden@127.0.0.1:{port}/none?connect_timeout=2", wait=SHORT)
    assert refusal.value.status == 503


@pytest.mark.parametrize("url", ["mysql://there/ledger", "ledger.db", "nonsense://", "postgresql+psycopg2://there/x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(DatabaseUnusable):
        Store(url)


@only_postgresql
def test_text_that_it_cannot_hold_is_a_bad_field(store: Store) -> None:
    """A zero byte, which SQLite keeps."""
    with pytest.raises(BadField, match="NUL"), store.write() as session:
        session.add(Cursor(name="a\0b", block=1, hash="0x"))


def test_what_the_database_refuses_is_no_busy_database(store: Store) -> None:
    """Trying again would not help: such an error passes as it is."""
    attempt: AbstractContextManager[Session] = store.write()
    with pytest.raises(DBAPIError, match="nowhere"), attempt as session:
        session.execute(text("SELECT * FROM nowhere"))


def _append_five(store: Store) -> None:
    for _ in range(5):
        _append(store)
