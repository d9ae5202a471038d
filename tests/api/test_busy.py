"""What a caller is told when the database is busy or gone: to come again, and then the same message is taken."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from httpx import Response
from sqlalchemy import make_url

from contracts.chain.connection import connect
from contracts.evm import nodes
from contracts.messages import for_log as messages
from contracts.protocol.log.leaf import write
from ledger.chain import ModelChain
from ledger.storage.store import Store
from tests import postgres
from tests.between import answering
from tests.contracts.evm.weather import Gust, GustyNode, serving
from tests.deployed import verifier_keys
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration


@pytest.fixture
def hasty(house: House) -> House:
    """Its API waits for nobody long."""
    house.start()
    house.run.commit(house.run.nodes[0])
    house.app.state.ledger = replace(house.ledger, store=Store(house.database, wait=0.3))
    return house


def send(house: House) -> Response:
    """A message that the rules take."""
    verifier = verifier_keys()[0]
    proofs = tuple(bytes.fromhex(name[2:]) for name in house.run.round.proofs.values())
    message = messages.Has(house.run.run, 1, verifier.address, proofs)
    answer: Response = house.client.post("/v1/messages", content=write(house.run.envelope(message, verifier)).encode())
    return answer


def check_come_again(answer: Response, code: str) -> None:
    """A refusal with the time after which to try again."""
    check_refused(answer, 503, code)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_busy_ledger_takes_the_message_later(hasty: House) -> None:
    with hasty.ledger.store.write():
        check_come_again(send(hasty), "ledger-busy")
        assert hasty.get("/log/entries", limit=1)["entries"]  # reading waits for nobody
    accepted(send(hasty))


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_database_that_hung_up_is_reached_again(hasty: House) -> None:
    """Nobody notices that idle connections were lost; while none can be made, the caller is told to come again."""
    name = make_url(hasty.database).database
    postgres.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    check_come_again(hasty.client.get("/v1/log/entries"), "database-unreachable")
    postgres.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    accepted(send(hasty))


@pytest.mark.parametrize("between", [(502, b"<html>"), (429, b"slow down"), (200, b"<html>Sign in</html>"), (200, b"")])
def test_a_caller_is_told_to_come_again_when_the_chain_is_away(
    house: House, between: tuple[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever stands before the chain: a proxy's error page, a refusal, nothing."""
    with answering(*between) as url:
        chain = ModelChain(connect(url), house.ledger.chain.deployment)
        house.app.state.ledger = replace(house.ledger, chain=chain)
        check_come_again(house.client.get(f"/v1/relay/{house.creator.address}"), "chain-unavailable")
        house.start()
        shown = house.get("/network")
        assert house.get("/mirrors")["mirrors"]
    assert (len(shown["verifiers"]), shown["threshold"]) == (3, 2), "the log knows who they are"
    assert shown["unseen"]["detail"].startswith("not known: the chain node ")
    assert not [record for record in caplog.records if record.exc_info]


def test_a_chain_that_refuses_every_third_request_breaks_nothing(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As providers do whose limit is a little too low: with and without a time, in HTTP and in JSON."""
    monkeypatch.setattr(nodes, "FIRST_PAUSE", 0.001)
    limited = b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "rate limit exceeded"}}'
    refusals, drawn = (Gust(429), Gust(429, headers={"Retry-After": "0"}), Gust(200, limited)), Random(7)
    node = GustyNode(house.place.chain.handle, lambda _: drawn.choice(refusals) if drawn.random() < 0.3 else None)
    with serving(node) as url:
        house.app.state.ledger = replace(house.ledger, chain=ModelChain(connect(url), house.ledger.chain.deployment))
        paths = ("/v1/network", f"/v1/relay/{house.creator.address}")
        answers = [house.client.get(path).status_code for path in paths for _ in range(15)]
    assert answers == [200] * 30
    assert not [record for record in caplog.records if record.exc_info]
