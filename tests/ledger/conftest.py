"""A network of one's own for each test; those that settle epochs take a chain of their own too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store import Store
from tests.world import Place, StillChain, World


@pytest.fixture(scope="session")
def shared_place() -> Place:
    return Place(chain=StillChain)


@pytest.fixture
def world(shared_place: Place, tmp_path: Path) -> Iterator[World]:
    """On the shared chain: epochs must not be settled on it."""
    with World(tmp_path / "world", shared_place) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[World]:
    """On a chain of its own."""
    with World(tmp_path / "alone") as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'ledger.db'}")
