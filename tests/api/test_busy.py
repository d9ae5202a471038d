"""What a caller is told when the database is busy or gone: to come again, and then the same message is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from httpx import Response
from sqlalchemy import make_url

from ledger.store import Store
from tests import postgres
from tests.world import World, accepted, check_refused

pytestmark = pytest.mark.integration


@pytest.fixture
def hasty(world: World) -> World:
    """Its API waits for nobody long."""
    world.start()
    world.app.state.ledger = replace(world.ledger, store=Store(world.database, wait=0.3))
    return world


def check_come_again(answer: Response, code: str) -> None:
    """A refusal with the time after which to try again."""
    check_refused(answer, 503, code)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_busy_ledger_takes_the_message_later(hasty: World) -> None:
    node = hasty.nodes[0]
    message = hasty.heartbeat_message(node)
    with hasty.ledger.store.write():
        check_come_again(hasty.post("/heartbeats", message, node), "ledger-busy")
        assert hasty.run_view()["round"] == 1  # reading waits for nobody
    accepted(hasty.post("/heartbeats", message, node))


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_database_that_hung_up_is_reached_again(hasty: World) -> None:
    """Nobody notices that idle connections were lost; while none can be made, the caller is told to come again."""
    name = make_url(hasty.database).database
    postgres.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    check_come_again(hasty.client.get(f"/v1/runs/{hasty.run}"), "database-unreachable")
    postgres.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    node = hasty.nodes[0]
    accepted(hasty.post("/heartbeats", hasty.heartbeat_message(node), node))
