"""The database: one writer at a time, readers on a snapshot, and failures with a code.

A writer on SQLite begins with BEGIN IMMEDIATE, on PostgreSQL with an advisory lock (docs/adr/0026-one-writer.md). Since
nobody takes a row's lock outside that turn, no two transactions can wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from ledger.errors import LedgerBusy
from ledger.storage import schema
from ledger.storage.changes import Changes
from ledger.storage.database import WAIT_SECONDS, coded, connect, is_gone

_READING = frozenset({"SELECT", "PRAGMA", "BEGIN", "SET", "SHOW", "EXPLAIN"})
_WROTE = "wrote"


class Store:
    """One database, brought to the newest revision when it is opened.

    Without `makes` there has to be one. Raises DatabaseMissing, SchemaNewer and SchemaUnknown.
    """

    def __init__(self, url: str, wait: float = WAIT_SECONDS, makes: bool = True) -> None:
        self.engine: Engine = connect(url, wait)
        self._sqlite = self.engine.dialect.name == "sqlite"
        event.listen(self.engine, "before_cursor_execute", _note_writing)
        self._readers = self.engine
        if not self._sqlite:
            self._readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._wait, self._turn = wait, threading.Lock()
        self.changes = Changes(self.engine)
        with coded():
            if not makes:
                self._patiently(lambda: schema.require_made(self.engine))
            self._patiently(lambda: schema.upgrade(self.engine))

    @contextmanager
    def write(self, quiet: bool = False) -> Iterator[Session]:
        """A transaction that no other writer runs beside; commits on leaving, rolls back on an exception.

        A `quiet` transaction wakes no thread that waits for changes (ledger/storage/changes.py); where nothing was
        written nothing is committed. Raises LedgerBusy where the turn does not come in time, and DatabaseUnreachable.
        """
        with self._in_turn(), coded(), self._writer() as session:
            beside = "" if quiet else self.changes.words()
            self._begin(session, lambda: schema.lock(session.connection(), beside))
            session.connection().info.pop(_WROTE, None)
            self.changes.begun(session.connection() if self._sqlite else None)
            yield session
            session.flush()
            if not session.connection().info.pop(_WROTE, False):
                return  # nothing is changed: the transaction is rolled back, and nobody woken
            session.commit()
            self.changes.committed(quiet, session.connection() if self._sqlite else None)

    @contextmanager
    def _writer(self) -> Iterator[Session]:
        """On SQLite with one connection to the end: it sees what others commit after it (ledger/storage/changes.py)."""
        if not self._sqlite:
            with Session(self.engine, expire_on_commit=False) as session:
                yield session
            return
        with self.engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot, in which nothing can be written. Raises DatabaseUnreachable."""
        with coded(), Session(self._readers, expire_on_commit=False) as session:
            self._begin(session, session.connection)
            with self._snapshot(session):
                yield session
            session.expunge_all()  # what was read stays readable; the rollback would expire it

    def _begin(self, session: Session, first: Callable[[], Any]) -> None:
        """The start of a transaction, in which nothing is done yet: where the connection is lost, with another one."""

        def begin() -> None:
            try:
                first()
            except DBAPIError:
                session.rollback()
                raise

        self._patiently(begin)

    def _patiently(self, start: Callable[[], None]) -> None:
        """Try again while the database does not answer, since it may be starting."""
        tries = Retrying(
            retry=retry_if_exception(is_gone),
            stop=stop_after_delay(self._wait),
            wait=wait_random_exponential(0.1, max=1),
            reraise=True,
        )
        tries(start)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """This process's writers queue here: one of them at a time holds a connection and waits for other processes."""
        if not self._turn.acquire(timeout=self._wait):
            raise LedgerBusy("too many writers at once; send it again")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _snapshot(self, session: Session) -> Iterator[None]:
        if not self._sqlite:
            yield
            return
        connection = session.connection()
        connection.execute(text("BEGIN"))
        connection.execute(text("PRAGMA query_only = 1"))
        try:
            yield
        finally:
            connection.execute(text("PRAGMA query_only = 0"))


def _note_writing(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    if statement.split(None, 1)[0].upper() not in _READING:
        connection.info[_WROTE] = True
