"""A mirror's database file: a transaction is whole or nothing, and what a disk does has a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.files.whole_file import DiskFull
from verifier.mirror.errors import StoreUnusable
from verifier.mirror.store.database import Database

pytestmark = pytest.mark.unit

SCHEMA = "CREATE TABLE IF NOT EXISTS thing (text TEXT);"


def add(database: Database, text: str) -> None:
    with database.write() as tables:
        tables.execute("INSERT INTO thing VALUES (?)", (text,))


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", SCHEMA)
    with pytest.raises(StoreUnusable), database.write() as tables:
        tables.executemany("INSERT INTO thing VALUES (?)", [("a",), ("b", "too many")])
    assert database.rows("SELECT * FROM thing") == []
    add(database, "b")
    assert database.rows("SELECT * FROM thing") == [("b",)]


def test_a_full_disk_has_a_name(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", SCHEMA)
    database.rows("PRAGMA max_page_count = 3")
    with pytest.raises(DiskFull) as refusal:
        add(database, "x" * 10**6)
    assert refusal.value.status == 507
    assert database.rows("SELECT * FROM thing") == []


def test_a_file_that_is_no_database_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnusable):
        Database(tmp_path / "x.db", SCHEMA)
