"""`commonweight db`: what the commands print and do; the work itself is tried in tests/ledger/test_schema.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commonweight.cli import app
from ledger import schema
from ledger.tables import APPEND_ONLY

pytestmark = pytest.mark.unit


def said(*arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, ["db", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_a_database_is_brought_to_the_newest_revision(tmp_path: Path) -> None:
    folder = ("--folder", str(tmp_path / "server"))
    newest = schema.head()
    assert said("current", *folder) == f"revision none, newest {newest}"
    assert not (tmp_path / "server").exists()
    assert said("upgrade", *folder) == f"revision {newest}"
    assert said("upgrade", *folder) == f"revision {newest}"
    assert json.loads(said("current", "--json", *folder)) == {"revision": newest, "newest": newest}


def test_the_address_of_a_database_goes_before_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.db"
    said("upgrade", "--folder", str(tmp_path / "server"), "--database-url", f"sqlite:///{file}")
    assert file.exists()
    assert not (tmp_path / "server" / "ledger.db").exists()


def test_grants_change_nothing_that_must_only_grow() -> None:
    lines = said("grants", "server").splitlines()
    changing = next(line for line in lines if "UPDATE" in line)
    assert '"roundview"' in changing
    assert [table for table in APPEND_ONLY if f'"{table}"' in changing] == []
    assert all(line.endswith('TO "server";') for line in lines)
