"""Connections to SQLite and PostgreSQL: how their sessions are set, and their failures as refusals with a code."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from contracts.errors import BadField
from contracts.files.whole_file import DiskFull
from ledger.errors import DatabaseMissing, DatabaseUnreachable, DatabaseUnusable, LedgerBusy

WAIT_SECONDS = 30.0
"""The longest wait for the writers' turn, for a free connection, and for a database that does not answer."""
STATEMENT_SECONDS, IDLE_SECONDS = 600, 300
"""PostgreSQL ends a statement, and a transaction that its client has left hanging with the lock in its hand."""
POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 35}  # the server's threads are 40 at the most
ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A database's machine that vanished without a word is noticed within half a minute; an address may say otherwise."""
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""The second one is for the file that readers and writers share."""
_SQLITE_TAKEN = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_TAKEN = ("55P03", "57014", "40001", "40P01")  # lock not available, statement timeout, serialization, deadlock
_GONE = ("08", "53300", "57P", "25P03")  # connection, too many connections, shutdown, idle in a transaction


_UNUSABLE = (8, 10, 11, 14, 26)  # SQLITE_READONLY, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_NOTADB
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')
_NOT_LET_IN = re.compile(r'role "[^"]*" does not exist|authentication failed|no pg_hba.conf entry')
"""A server that refuses a connection gives no SQLSTATE to its client, only words."""


def connect(url: str, wait: float = WAIT_SECONDS) -> Engine:
    """An engine that waits so many seconds for locks of others. Raises DatabaseUnusable.

    Its first connection raises DatabaseUnusable where PostgreSQL's database is not in UTF-8.
    """
    try:
        address = make_url(url)
        name = address.get_backend_name()
        pool = {**POOL, "pool_timeout": wait}
        if name == "sqlite":
            in_memory = address.database in (None, "", ":memory:")
            engine = create_engine(url, connect_args={"timeout": wait}, **({} if in_memory else pool))
        elif name == "postgresql":
            own = {name: value for name, value in ALIVE.items() if name not in address.query}
            engine = create_engine(url, pool_pre_ping=True, connect_args=own, **pool)
        else:
            raise DatabaseUnusable(f"{name} is neither SQLite nor PostgreSQL")
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise DatabaseUnusable(f"{error}; PostgreSQL needs the extra `postgres`") from error
    # first of all: SQLAlchemy's own first look at a server in SQL_ASCII fails over bytes where it expects text
    event.listen(engine, "connect", _sqlite_session if name == "sqlite" else _postgres_session(wait), insert=True)
    return engine


def _sqlite_session(connection: Any, _record: Any) -> None:
    # the driver would otherwise begin its transactions late, and two readers could both turn into writers
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _postgres_session(wait: float) -> Callable[[Any, Any], None]:
    seconds = {
        "lock_timeout": wait,
        "statement_timeout": STATEMENT_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_SECONDS,
    }

    def prepare(connection: Any, _record: Any) -> None:
        _require_utf8(connection.info)
        for name, value in seconds.items():
            connection.execute(f"SET {name} = {round(value * 1000)}")
        connection.commit()

    return prepare


def _require_utf8(server: Any) -> None:
    encoding = server.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"the database {server.dbname} is encoded in {encoding}, and a ledger needs UTF8: "
            "createdb --encoding UTF8 --template template0 NAME makes another one"
        )


@contextmanager
def coded() -> Iterator[None]:
    """Make a passing failure a refusal that may be tried again, and a value that does not fit a bad field.

    Raises LedgerBusy, DatabaseUnreachable, BadField and DiskFull. Other errors of the database pass as they are: they
    are bugs of this code.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise LedgerBusy("all connections to the database are in use; send it again") from error
    except DataError as error:
        raise BadField(f"a text or number that the database cannot hold ({_first_line(error)})") from error
    except DBAPIError as error:
        if _is_full(error):
            raise DiskFull("no room is left for the database; nothing was changed") from error
        _refuse_unusable(error)
        if _is_taken(error):
            raise LedgerBusy(f"the database is busy; send it again ({_first_line(error)})") from error
        if is_gone(error):
            raise DatabaseUnreachable(f"the database does not answer ({_first_line(error)})") from error
        raise


def _is_full(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlite_errorcode", 0) in _SQLITE_FULL:
        return True
    return getattr(error.orig, "sqlstate", None) == "53100"  # disk_full


def _refuse_unusable(error: DBAPIError) -> None:
    """Raises DatabaseMissing, and DatabaseUnusable for an error that no other try mends."""
    message = _first_line(error)
    if _NO_DATABASE.search(message):
        raise DatabaseMissing(f"{message}: check --database-url; `createdb` makes an empty one") from error
    if _NOT_LET_IN.search(message):
        raise DatabaseUnusable(f"{message}: check the role in --database-url, and its password in ~/.pgpass") from error
    if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _UNUSABLE:
        raise DatabaseUnusable(f"{message}: check the file's disk, its owner and its permissions") from error


def _is_taken(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_TAKEN:
        return True
    return getattr(error.orig, "sqlstate", None) in _TAKEN


def is_gone(error: BaseException) -> bool:
    """Whether the connection was lost or never made, so that another one may do."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", "")
    message = _first_line(error)
    if _NO_DATABASE.search(message) or _NOT_LET_IN.search(message):
        return False
    # the driver's own word has no SQLSTATE: a refused, lost or silent connection (ConnectionTimeout is one of them)
    unanswered = state is None and isinstance(error, OperationalError)
    return error.connection_invalidated or unanswered or str(state).startswith(_GONE)


def _first_line(error: DBAPIError) -> str:
    """The first line of an error: without the address, the attempts and the hints around it."""
    return str(error.orig).strip().partition("\n")[0]
