"""All providers at once: who is late or fails is named, and the others' offers are there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NoReturn, cast

import pytest

from commonweight.market.errors import KeyMissing, MarketError, ProviderAway, RateLimited
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Level, Offer, Price, Query, Security
from commonweight.market.provider import Provider, ProviderFacts
from commonweight.market.view.gathering import Failure, gather

pytestmark = pytest.mark.unit
LONG = 30.0
QUERY = Query()


def offer(provider: str, name: str, price: int = 1_000_000) -> Offer:
    """One H100."""
    security = Security(Level.COMMUNITY, "it says nothing", "a container")
    return Offer(provider, name, "H100", 1, Price(MicroUsd(price)), security, seen_at=1)


class Source:
    """A provider that answers by a function."""

    def __init__(self, name: str, answer: Callable[[], list[Offer]]) -> None:
        self.facts = ProviderFacts(name, tagged=True, kyc="", pays=(), api="")
        self.answer = answer
        self.asked: list[Query] = []

    def offers(self, query: Query) -> list[Offer]:
        """What the function gives."""
        self.asked.append(query)
        return self.answer()


def source(name: str, *offers: Offer) -> Provider:
    """A provider that has these."""
    return cast(Provider, Source(name, lambda: list(offers)))


def failing(name: str, error: Exception) -> Provider:
    """A provider that raises this."""

    def fail() -> NoReturn:
        raise error

    return cast(Provider, Source(name, fail))


def test_offers_come_in_the_order_of_their_providers() -> None:
    first, second = threading.Event(), threading.Event()

    def behind() -> list[Offer]:
        second.wait(LONG)
        first.set()
        return [offer("a", "1"), offer("a", "2")]

    def ahead() -> list[Offer]:
        second.set()
        return [offer("b", "1")]

    found = gather([cast(Provider, Source("a", behind)), cast(Provider, Source("b", ahead))], QUERY, LONG)
    assert [(one.provider, one.name) for one in found.offers] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert first.is_set()
    assert found.failed == ()


def test_all_are_asked_at_once() -> None:
    barrier = threading.Barrier(4, timeout=LONG)

    def meet() -> list[Offer]:
        barrier.wait()
        return []

    found = gather([cast(Provider, Source(str(number), meet)) for number in range(4)], QUERY, LONG)
    assert found.failed == ()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProviderAway("it is away"), "provider-away"),
        (RateLimited("it is away", 3), "provider-rate-limited"),
        (KeyMissing("it is away"), "provider-key-missing"),
        (MarketError("it is away"), "market-error"),
    ],
)
def test_one_that_fails_is_named_and_hides_no_other(error: Exception, code: str) -> None:
    found = gather([failing("a", error), source("b", offer("b", "1"))], QUERY, LONG)
    assert [one.provider for one in found.offers] == ["b"]
    assert found.failed == (Failure("a", code, "it is away"),)


def test_a_fault_of_an_adapter_is_named_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    found = gather([failing("a", KeyError("secret")), source("b", offer("b", "1"))], QUERY, LONG)
    assert [one.provider for one in found.offers] == ["b"]
    assert found.failed == (Failure("a", "adapter-broken", "KeyError"),)
    assert "the adapter of a broke" in caplog.text


def test_one_that_is_late_is_named_and_hides_no_other() -> None:
    over = threading.Event()

    def hang() -> list[Offer]:
        over.wait(LONG)
        return [offer("a", "late")]

    try:
        found = gather([cast(Provider, Source("a", hang)), source("b", offer("b", "1"))], QUERY, 0.3)
        assert not over.is_set()
    finally:
        over.set()
    assert [one.provider for one in found.offers] == ["b"]
    assert found.failed == (Failure("a", "provider-late", "no answer within 0.3 seconds"),)


def test_an_offer_that_comes_twice_counts_once() -> None:
    twice = [offer("a", "1", 3), offer("a", "1", 2), offer("a", "2", 5)]
    found = gather([source("a", *twice), source("a", offer("a", "1", 4)), source("b", offer("b", "1", 9))], QUERY, LONG)
    assert [(one.provider, one.name, one.price.total) for one in found.offers] == [
        ("a", "1", 2),
        ("a", "2", 5),
        ("b", "1", 9),
    ]


def test_the_query_is_each_providers() -> None:
    asked = Source("a", list)
    gather([cast(Provider, asked)], Query(least=8), LONG)
    assert asked.asked == [Query(least=8)]


def test_no_providers_have_no_offers() -> None:
    found = gather([], QUERY, LONG)
    assert (found.offers, found.failed) == ((), ())
