"""One chain for the folder: no test here settles an epoch on it."""

from __future__ import annotations

import pytest

from tests.world import Place


@pytest.fixture(scope="session")
def shared_place() -> Place:
    return Place()
