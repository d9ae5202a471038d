"""Commits to the database, by this process or another one, wake the threads that wait for them.

here       a commit counts at once
elsewhere  SQLite: PRAGMA data_version, asked a few times a second for some microseconds
           PostgreSQL: NOTIFY in the transaction that changes something, LISTEN on a connection of its own

Silence is no proof: a waiting thread looks again after a while in any case.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from contracts.process.outage import Troubles

CHANNEL = "commonweight"
POLL_SECONDS = 0.2
SLICE_SECONDS = 0.2
"""Within which a waiting thread sees that it is to end."""
LISTEN_SECONDS = 0.5
"""Within which a watcher of PostgreSQL sees that it is to end."""
LAST_SECONDS = 1.0
"""For which the last user waits for the watcher's end: a database that is silent keeps nobody."""
AGAIN_SECONDS = 1.0
"""Between two tries to watch where the database is away."""
logger = logging.getLogger(__name__)


class Changes:
    """Counts commits that anybody may wait for. Threads share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._own = secrets.token_hex(8)
        self._grown = threading.Condition()
        self._count = 0
        self._starting, self._users, self._stop = threading.Lock(), 0, threading.Event()
        self._file: _FileVersion | None = None
        self._watcher = threading.Thread()
        self._before: int | None = None

    @property
    def count(self) -> int:
        """Commits so far, as far as they were heard of."""
        return self._count

    def wait(self, seen: int, seconds: float, stop: threading.Event | None = None) -> bool:
        """Whether there are other commits than `seen`: once there are, after some seconds, or soon after `stop`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not (stop is not None and stop.is_set()):
            with self._grown:
                if self._grown.wait_for(lambda: self._count != seen, timeout=min(left, SLICE_SECONDS)):
                    return True
        return self._count != seen

    @contextmanager
    def watched(self) -> Iterator[Changes]:
        """Within this block other processes' commits are noticed, too."""
        with self._starting:
            self._users += 1
            if self._users == 1:
                self._stop = threading.Event()
                watch = self._watch_file if self._sqlite else self._listen
                work = (watch, self._stop)
                self._watcher = threading.Thread(target=self._again, args=work, name="changes", daemon=True)
                self._watcher.start()
        try:
            yield self
        finally:
            with self._starting:
                self._users -= 1
                if self._users == 0:
                    self._stop.set()
                    self._watcher.join(LAST_SECONDS)  # its connection is given back then

    # -- for a writer, which has the turn

    def words(self) -> str:
        """PostgreSQL's notice to the other processes when the transaction commits, as a column of a SELECT."""
        return f"pg_notify('{CHANNEL}', '{self._own}')"

    def begun(self, own: Connection | None = None) -> None:
        """A writer's transaction has begun, on a connection of its own: until the commit no other process changes
        anything."""
        file = self._file
        if file is not None and file.moved():
            self._tell()
        self._before = _version(own) if file is not None and own is not None else None

    def committed(self, quiet: bool, own: Connection | None = None) -> None:
        """The writer's transaction has committed. A `quiet` one wakes nobody, but another process's commit since then
        does: either moves the file, and only others move the version that the writer's own connection sees."""
        file = self._file
        others = False
        if file is not None:
            file.moved()
            others = own is not None and _version(own) != self._before
        if others or not quiet:
            self._tell()

    def _tell(self) -> None:
        with self._grown:
            self._count += 1
            self._grown.notify_all()

    # -- the watchers

    def _again(self, watch: Any, stop: threading.Event) -> None:
        """Watch until told to stop; where the database is away, its users report that. Nobody would notice a thread
        that ended."""
        troubles = Troubles(logger.error)
        while not stop.is_set():
            try:
                watch(stop)
            except (SQLAlchemyError, OSError, sqlite3.Error):
                pass
            except Exception as error:
                troubles.failed("the database's changes", f"{error!r}; watching again")
            stop.wait(AGAIN_SECONDS)

    def _watch_file(self, stop: threading.Event) -> None:
        with _FileVersion.of(self._engine) as file:
            self._file = file
            self._tell()  # what was changed while nobody watched is looked for
            try:
                while not stop.wait(POLL_SECONDS):
                    if file.moved():
                        self._tell()
            finally:
                if self._file is file:  # the next watcher may be there before this one has ended
                    self._file = None

    def _listen(self, stop: threading.Event) -> None:
        import psycopg

        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"LISTEN {CHANNEL}"))
            driver: Any = connection.connection.driver_connection
            self._tell()
            try:
                while not stop.is_set():
                    for note in driver.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        if note.payload != self._own:
                            self._tell()
            except psycopg.Error as error:
                raise OSError(str(error)) from error
            finally:
                connection.invalidate()  # nobody else hears what this one listens to


def _version(connection: Connection) -> int | None:
    """A SQLite file's version, as a connection sees it: the connection's own commits do not change it. None where the
    file cannot be read: a writer that has committed does not fail over this."""
    with suppress(SQLAlchemyError):
        return int(connection.execute(text("PRAGMA data_version")).scalar_one())
    return None


class _FileVersion:
    """Whether a SQLite file was changed through any other connection since it was asked last."""

    def __init__(self, connection: Any) -> None:
        self._lock = threading.Lock()
        self._connection = connection
        self._last = self._read()

    @classmethod
    @contextmanager
    def of(cls, engine: Engine) -> Iterator[_FileVersion]:
        """On a connection of its own."""
        connection = engine.raw_connection()
        try:
            yield cls(connection)
        finally:
            connection.close()

    def moved(self) -> bool:
        """Whether the file was changed, as far as it can be read: a committed writer does not fail over this."""
        with self._lock, suppress(sqlite3.Error, SQLAlchemyError):
            now = self._read()
            moved = now != self._last
            self._last = now
            return moved
        return False

    def _read(self) -> int:
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()
