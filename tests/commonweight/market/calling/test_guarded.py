"""Calls that never end: they hold nobody up, and become no more with each look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commonweight.market import run_side
from commonweight.market.calling import guarded
from commonweight.market.calling.guarded import MOST_AT_ONCE, Guarded, Later
from commonweight.market.errors import ProviderAway
from commonweight.market.offers import Query
from commonweight.market.run_side import RunSide
from commonweight.market.view.gathering import gather
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, offer

pytestmark = pytest.mark.unit


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Never comes, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def _waiting(hang: threading.Event) -> Callable[..., Any]:
    """A call that does not come back."""

    def wait(*_: object) -> None:
        hang.wait()

    return wait


def _alive(words: str) -> int:
    return sum(words in thread.name for thread in threading.enumerate())


def test_lists_that_never_come_do_not_pile_up(hang: threading.Event) -> None:
    provider = Simulated(Clock())
    provider.on_list = _waiting(hang)
    for _ in range(3 * MOST_AT_ONCE):
        with pytest.raises(ProviderAway):
            Guarded(provider, 0.01).machines()
    assert _alive("the list of sim") == MOST_AT_ONCE


def test_offers_that_never_come_do_not_pile_up(hang: threading.Event) -> None:
    provider = Simulated(Clock())
    provider.offers = _waiting(hang)  # type: ignore[method-assign]
    codes = [gather([provider], Query(), 0.01).failed[0].code for _ in range(3 * MOST_AT_ONCE)]
    assert _alive("the offers of sim") == MOST_AT_ONCE
    assert codes[-1] == "provider-away"


def test_a_run_that_never_answers_does_not_pile_up(hang: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def get(self, _: str) -> Any:
            hang.wait()

    monkeypatch.setattr(run_side, "RUN_SECONDS", 0.01)
    side = RunSide("http://127.0.0.1:1", "a" * 64, Silent())  # type: ignore[arg-type]
    assert [side.is_over() for _ in range(3 * MOST_AT_ONCE)] == [False] * 3 * MOST_AT_ONCE
    assert _alive("the run") <= MOST_AT_ONCE


def test_a_launch_that_never_ends_is_given_up(hang: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of it, the list decides: who waited for it would end no other machine."""
    monkeypatch.setattr(guarded, "LAUNCH_SECONDS", 0.01)
    provider = Simulated(Clock())
    provider.on_launch = _waiting(hang)
    with pytest.raises(ProviderAway) as refusal:
        Guarded(provider).launch(offer(), BOOTSTRAP, "cw-1-1", lambda _: None)
    assert refusal.value.sent


def test_a_system_without_threads_is_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(ProviderAway, match="new thread"):
        Later(lambda: 1, "anything").take(1.0)
