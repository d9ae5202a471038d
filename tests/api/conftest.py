"""A server with a run in its second round, in which everything that can be refused can be tried.

On SQLite alone: tests/ledger calls the same routes on both databases, and what is refused here is refused before the
database is asked, or by its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from httpx import Response

from tests.databases import database as database
from tests.databases import fresh_database
from tests.house import House, check_refused

Refusal = Callable[[Callable[[], Response], int, str], None]


@pytest.fixture(scope="session", params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """In the place of the one that runs twice."""
    return str(request.param)


@pytest.fixture(scope="module")
def stage(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Epoch 1 awaits signatures, and in round 2 one node of two has committed. Shared: a refusal changes nothing."""
    folder = tmp_path_factory.mktemp("stage")
    with fresh_database(database_kind, folder) as url, House(folder, database=url) as house:
        house.start(rounds=3).play_round()
        house.run.commit(house.run.nodes[0])
        yield house


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    """A server of one's own; no run is open."""
    with House(tmp_path / "house", database=database) as made:
        yield made


@pytest.fixture
def refused(stage: House) -> Refusal:
    """The request is refused with a problem document, and every table, the log and the blobs stay as they were."""

    def check(request: Callable[[], Response], status: int, code: str) -> None:
        before = stage.dump()
        check_refused(request(), status, code)
        assert stage.dump() == before

    return check


@pytest.fixture
def final(tmp_path: Path) -> Iterator[House]:
    """Epochs 1 and 2 are final, 500 units in each for each of two wallets, and nobody has claimed."""
    with House(tmp_path / "house") as made:
        made.start()
        for number in (1, 2):
            made.play_round()
            made.settle_epoch(number)
        yield made
