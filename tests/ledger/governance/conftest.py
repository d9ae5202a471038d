"""A server whose model has two holders, each with half of the tokens and coins for gas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import fresh_database
from tests.house import House


@pytest.fixture(scope="module")
def electorate(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For those who only vote, each on a proposal of its own."""
    folder = tmp_path_factory.mktemp("electorate")
    with fresh_database(database_kind, folder) as url, House(folder, database=url) as house:
        yield house.become_holders()
