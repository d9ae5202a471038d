"""A node that is silent holds so many threads, and no more."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from contracts.evm.errors import ChainUnavailable
from contracts.evm.places import Places

pytestmark = pytest.mark.unit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_finds_no_place_while_nothing_moves_is_sent_away() -> None:
    clock = Clock()
    places = Places(2, 5.0, clock)
    clock.now = 100.0
    with ExitStack() as asked:
        asked.enter_context(places.one())
        asked.enter_context(places.one())
        clock.now = 106.0
        with pytest.raises(ChainUnavailable), places.one():
            pass
    with places.one():
        pass


def test_a_failure_moves_nothing_on() -> None:
    clock = Clock()
    places = Places(2, 5.0, clock)
    with places.one():
        clock.now = 6.0
        with pytest.raises(KeyError), places.one():
            raise KeyError
        with places.one(), pytest.raises(ChainUnavailable), places.one():  # both are taken, and nothing was answered
            pass


def test_who_waits_has_the_place_that_comes_free() -> None:
    places, found = Places(1, 600.0), threading.Event()

    def wait() -> None:
        with places.one():
            found.set()

    with places.one():
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not found.is_set()
    waiting.join()
    assert found.is_set()


def test_none_is_given_once_they_are_closed() -> None:
    places = Places()
    places.close()
    with pytest.raises(ChainUnavailable), places.one():
        pass
