"""Calls to a provider: what is sent once, what is tried again, and what an error says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from commonweight.market.calling.calls import Calls
from commonweight.market.errors import KeyRefused, ProviderAway, ProviderError, RequestRefused
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault, Request, StandIn, standing

pytestmark = pytest.mark.integration
KEY = "a-key-of-nobody"


@dataclass
class Echo(StandIn):
    """Answers with `status` and `body`."""

    status: int = 200
    body: Any = None

    def answer(self, request: Request) -> tuple[int, Any]:
        return self.status, self.body


@pytest.fixture
def server() -> Iterator[Echo]:
    with standing(Echo(body={"price": 0.1})) as echo:
        assert isinstance(echo, Echo)
        yield echo


@pytest.fixture
def calls(server: Echo) -> Calls:
    return Calls("Echo", server.url, {"Authorization": f"Bearer {KEY}"}, seconds=5.0, budget=10.0)


def test_numbers_are_read_exactly(calls: Calls) -> None:
    assert calls.get("/prices") == {"price": Decimal("0.1")}


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.TOO_OFTEN, Fault.AFTER_HALF])
def test_a_reading_is_tried_again(server: Echo, calls: Calls, fault: Fault) -> None:
    server.fail("GET", "/prices", fault)
    assert calls.get("/prices")
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", [*AFTER, Fault.CUT, Fault.UNAVAILABLE, Fault.HTML])
def test_a_change_is_sent_once_and_may_have_happened(server: Echo, calls: Calls, fault: Fault) -> None:
    server.fail("POST", "/rent", fault)
    with pytest.raises(ProviderAway) as refusal:
        calls.send("POST", "/rent", {"now": True})
    assert (refusal.value.sent, len(server.requests)) == (True, 1)


def test_who_cannot_be_reached_did_nothing() -> None:
    with pytest.raises(ProviderAway) as refusal:
        Calls("Nobody", "http://127.0.0.1:9", {}).send("POST", "/rent")
    assert not refusal.value.sent


@pytest.mark.parametrize("status", [401, 403, 400, 418])
def test_no_error_repeats_the_key(server: Echo, calls: Calls, status: int) -> None:
    server.status, server.body = status, {"message": f"the key {KEY} is not welcome"}
    with pytest.raises(ProviderError) as refusal:
        calls.send("GET", "/prices")
    assert isinstance(refusal.value, KeyRefused if status in (401, 403) else RequestRefused)
    assert KEY not in refusal.value.detail + str(refusal.value)


@pytest.mark.parametrize("body", [b'{"price": NaN}', b"[" * 100_000, b"nothing"], ids=["NaN", "deep", "text"])
def test_what_is_no_json_is_no_answer(server: Echo, calls: Calls, body: bytes) -> None:
    server.body = body
    with pytest.raises(ProviderAway):
        calls.send("GET", "/prices")
