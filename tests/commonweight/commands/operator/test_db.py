"""`commonweight db`: what the commands print and do; the work itself is tried in
tests/ledger/storage/test_schema.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commonweight.cli import app
from ledger.storage import schema
from ledger.storage.tables import APPEND_ONLY
from tests.commonweight.conftest import Command
from tests.ledger.test_identity import PLACE

pytestmark = pytest.mark.unit


def said(*arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, ["db", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_a_database_is_brought_to_the_newest_revision(tmp_path: Path) -> None:
    folder = ("--folder", str(tmp_path / "server"))
    newest = schema.head()
    assert said("upgrade", *folder) == f"revision {newest}"
    assert said("upgrade", *folder) == f"revision {newest}"
    assert json.loads(said("current", "--json", *folder)) == {"revision": newest, "newest": newest}


@pytest.mark.parametrize("words", [("db", "current"), ("outbox", "list"), ("outbox", "retry", "some-call")])
def test_a_database_that_is_not_there_is_named_and_not_made(
    commonweight: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A folder that is mistyped is no empty ledger."""
    for place in (("--folder", tmp_path / "server"), ("--database-url", f"sqlite:///{tmp_path / 'server'}")):
        answer = commonweight(*words, *place)
        assert (answer.status, answer.out) == (1, "")
        assert answer.err.startswith("database-missing: there is no ")
        assert answer.err.count("\n") == 1
        assert not (tmp_path / "server").exists()


def test_whose_database_it_is_can_be_asked_for(commonweight: Command, tmp_path: Path) -> None:
    own, other = tmp_path / "own.json", tmp_path / "other.json"
    own.write_text(PLACE.to_json())
    other.write_text(replace(PLACE, chain_id=8).to_json())
    folder = ("--folder", tmp_path / "server")
    assert commonweight("db", "upgrade", *folder, "--deployment", own).status == 0
    for words in (("db", "upgrade"), ("outbox", "list"), ("outbox", "retry", "some-call")):
        answer = commonweight(*words, *folder, "--deployment", other)
        assert answer.err.startswith("database-foreign: the database is of chain 7"), answer
    assert commonweight("outbox", "list", *folder, "--deployment", own).out == "no call is pending\n"


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
