"""A SQLite file for data that a mirror must not lose: each change is one transaction, on the disk at once.

Several threads use one file: routes, and the verifier's look. A process that is killed in a transaction has changed
nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.files.whole_file import DiskFull
from verifier.mirror.errors import StoreUnusable

SYNCHRONOUS = "FULL"
"""SQLite's setting that survives a loss of power; a killed process loses nothing under any setting."""


class Database:
    """One file, one connection, one writer at a time. Raises DiskFull and StoreUnusable."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._lock = path, threading.RLock()
        with self._named():
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(schema)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all changes are kept, or none where the block raises."""
        with self._lock, self._named():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._named():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no room is left for {self._path.name}") from error
            raise StoreUnusable(f"{self._path.name} cannot be used: {error}") from error
