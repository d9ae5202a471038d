"""How a PostgreSQL is reached: one that vanishes without a word is noticed, and an address has the last word on how."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from ledger.storage.database import ALIVE, connect
from tests import postgres

pytestmark = pytest.mark.integration


def parameters(url: str) -> dict[str, Any]:
    """Of a connection, as libpq has them."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
            found: dict[str, Any] = connection.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]
            return found
    finally:
        engine.dispose()


def test_a_machine_that_vanishes_is_noticed_within_a_minute() -> None:
    with postgres.empty_database() as url:
        found = parameters(url)
    assert {name: int(found[name]) for name in ALIVE} == ALIVE
    assert ALIVE["keepalives_idle"] + ALIVE["keepalives_interval"] * ALIVE["keepalives_count"] <= 60


def test_an_address_may_say_otherwise() -> None:
    with postgres.empty_database() as url:
        found = parameters(f"{url}{'&' if '?' in url else '?'}keepalives_idle=77")
    assert int(found["keepalives_idle"]) == 77
    assert int(found["connect_timeout"]) == ALIVE["connect_timeout"]
