"""A ledger's database on either kind of server, empty or with its tables, for tests that run on both.

A conftest.py that imports the fixtures makes whoever takes `database` run twice.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import URL

from ledger.storage.store import Store
from tests import postgres

KINDS = ("sqlite", "postgresql")


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database with the tables of a ledger and no rows, gone on leaving."""
    if kind == "sqlite":
        yield fresh_file(folder)
    else:
        with postgres.fresh_database() as url:
            yield url


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database without a table, gone on leaving."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
    else:
        with postgres.empty_database() as url:
            yield url


@contextmanager
def copied_store(store: Store, folder: Path) -> Iterator[Store]:
    """A store on a copy of another's database, gone on leaving; nobody may be connected to that one."""
    with _copied(store.engine.url, folder) as copied:
        made = Store(copied)
        yield made
        made.engine.dispose()


@contextmanager
def _copied(url: URL, folder: Path) -> Iterator[str]:
    if url.get_backend_name() == "sqlite":
        yield f"sqlite:///{shutil.copy(str(url.database), folder / 'copy.db')}"
        return
    with postgres.copy_of(url.render_as_string(hide_password=False)) as copied:
        yield copied


@pytest.fixture(scope="session", params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Whoever takes this runs on each."""
    return str(request.param)


@pytest.fixture
def database(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the tables of a ledger and no rows."""
    with fresh_database(database_kind, tmp_path) as url:
        yield url


def fresh_file(folder: Path) -> str:
    """The URL of `ledger.db` in a folder: what lies there, or a copy of one that was migrated before."""
    path = folder / "ledger.db"
    if not path.exists():
        path.write_bytes(_migrated_file())
    return f"sqlite:///{path}"


@cache
def _migrated_file() -> bytes:
    folder = Path(tempfile.mkdtemp())
    Store(f"sqlite:///{folder / 'template.db'}").engine.dispose()
    made = (folder / "template.db").read_bytes()
    shutil.rmtree(folder)
    return made
