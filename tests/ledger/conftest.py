"""A server of one's own for each test, on SQLite and on PostgreSQL, with a chain of its own; claims go to an anvil."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage.store import Store
from tests.anvil import Anvil
from tests.databases import database as database
from tests.databases import database_kind as database_kind
from tests.house import House
from tests.ledger.relayed import Relay
from tests.paid_epoch import PaidEpoch

FLOWS = ("test_governance.py",)
"""Whole flows, whose statements the tests of storage, epochs and payouts try on PostgreSQL too: long there."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test-long` runs the flows on PostgreSQL."""
    for item in items:
        if item.path.name in FLOWS and "postgresql" in item.name and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.long)


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    """A server on a chain of its own; no run is open."""
    with House(tmp_path / "house", database=database) as made:
        yield made


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def paid_epoch() -> Iterator[PaidEpoch]:
    """On an anvil that all tests of this session share; `relay` leaves it as it was."""
    with Anvil(slots=4) as anvil:
        made = PaidEpoch(anvil, payees=10)
        anvil.mine(2 * anvil.slots)
        yield made


@pytest.fixture
def relay(paid_epoch: PaidEpoch, tmp_path: Path) -> Iterator[Relay]:
    """Claims on their way to an anvil with finality 8 blocks behind its head."""
    before = paid_epoch.anvil.rpc("evm_snapshot")
    yield Relay(paid_epoch, tmp_path / "relay")
    paid_epoch.anvil.rpc("anvil_dropAllTransactions")
    paid_epoch.anvil.rpc("evm_revert", before)
