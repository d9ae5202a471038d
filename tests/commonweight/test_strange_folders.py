"""Commands on folders and files with names that people have, and that a path written into an address breaks.

What trains, judges and reads a run is tried in such folders by tests/commonweight/reading, tests/service,
tests/verifier/jobs/test_queue.py and the demo.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import make_url

from commonweight.terminal.options import database_address
from ledger.storage import schema
from ledger.storage.store import Store
from tests.commonweight.conftest import Command
from tests.strange_names import NAMES, STRANGE

pytestmark = pytest.mark.unit


@pytest.fixture(params=[*NAMES, STRANGE])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_the_address_of_a_folder_is_that_folder(folder: Path) -> None:
    file = folder / "ledger.db"
    assert make_url(database_address(folder, "")).database == str(file)
    folder.mkdir()
    Store(database_address(folder, "")).engine.dispose()
    assert file.exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_address_that_is_given_stays_as_it_is() -> None:
    assert database_address(Path("a b"), "postgresql+psycopg://server@host/ledger?sslmode=require") == (
        "postgresql+psycopg://server@host/ledger?sslmode=require"
    )


def test_the_database_is_made_and_found(commonweight: Command, folder: Path) -> None:
    newest = schema.head()
    assert commonweight("db", "current", "--folder", folder).err.startswith("database-missing: ")
    assert commonweight("db", "upgrade", "--folder", folder).out.strip() == f"revision {newest}"
    current = json.loads(commonweight("db", "current", "--folder", folder, "--json").out)
    assert current == {"revision": newest, "newest": newest}
    assert (folder / "ledger.db").exists()
    said = commonweight("outbox", "list", "--folder", folder)
    assert (said.status, said.err) == (0, "")


def test_jobs_that_were_given_up_are_found(commonweight: Command, folder: Path) -> None:
    folder.mkdir()
    said = commonweight("verifier", "jobs", "--folder", folder)
    assert (said.status, said.out.strip()) == (0, "no check was abandoned")
    assert (folder / "jobs.db").exists()
    shown = json.loads(commonweight("disk", folder, "--json").out.splitlines()[0])
    assert (shown["part"], shown["what"]) == ("jobs.db", "jobs of the workers")
