"""One chain for the whole folder: no test here moves it further than a few blocks, but for its own `place`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.stage import Stage
from tests.world import Place, StillChain, World


@pytest.fixture(scope="session")
def shared_place() -> Place:
    return Place(chain=StillChain)


@pytest.fixture(scope="session")
def stage(shared_place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Shared by all tests that end in a refusal, since a refusal changes nothing."""
    made = Stage(tmp_path_factory.mktemp("stage"), shared_place)
    yield made
    made.world.__exit__(None, None, None)


@pytest.fixture
def world(shared_place: Place, tmp_path: object) -> Iterator[World]:
    """A network of one's own on the shared chain; epochs must not be settled on it."""
    with World(tmp_path / "world", shared_place) as made:  # type: ignore[operator]
        yield made
