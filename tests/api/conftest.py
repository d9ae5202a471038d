"""One chain for the whole folder: no test moves it far, but for its own `place`.

On SQLite alone: tests/ledger calls the same routes on both databases, and what is refused here is refused before the
database is asked, or by its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.stage import Stage
from tests.databases import database as database
from tests.databases import fresh_database
from tests.world import Place, StillChain, World


@pytest.fixture(scope="session", params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """In the place of the one that runs twice."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_place() -> Place:
    return Place(chain=StillChain)


@pytest.fixture(scope="session")
def stage(shared_place: Place, database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Shared by all tests that end in a refusal, since a refusal changes nothing."""
    folder = tmp_path_factory.mktemp("stage")
    with fresh_database(database_kind, folder) as url:
        made = Stage(folder, shared_place, url)
        yield made
        made.world.__exit__(None, None, None)


@pytest.fixture
def world(shared_place: Place, tmp_path: Path, database: str) -> Iterator[World]:
    """A network of one's own on the shared chain; epochs must not be settled on it."""
    with World(tmp_path / "world", shared_place, database=database) as made:
        yield made
