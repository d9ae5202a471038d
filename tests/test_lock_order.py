"""The watch over locks finds a circle at the first time that it is walked, though nobody waits."""

from __future__ import annotations

import threading

import pytest

from tests.holds import Threat, holds
from tests.lock_order import Orders, Watched, elsewhere, watched_locks

pytestmark = pytest.mark.unit


@holds(
    "No thread waits for a lock while another waits for its own",
    by="verifier/mirror/store/messages.py:MessageStore",
    against=Threat.CRASH,
)
def test_two_locks_taken_in_both_orders_are_a_circle() -> None:
    orders = Orders()
    one, two = (Watched(threading.RLock(), name, orders) for name in ("one", "two"))
    with one, two:
        pass
    assert orders.circle() == []
    with two, one:
        pass
    assert orders.circle() == ["one", "two"]


def test_a_lock_taken_again_is_no_circle() -> None:
    orders = Orders()
    one, two = (Watched(threading.RLock(), name, orders) for name in ("one", "two"))
    with one, two, one:
        pass
    assert orders.circle() == []


def test_two_locks_of_one_line_are_a_circle() -> None:
    """Nobody says which of them comes first."""
    orders = Orders()
    one, two = (Watched(threading.Lock(), "one line", orders) for _ in range(2))
    with one, two:
        pass
    assert orders.circle() == ["one line"]


def test_the_projects_locks_are_watched_and_no_others() -> None:
    with watched_locks():
        assert not isinstance(threading.Lock(), Watched)
        made = eval("threading.Lock()", {"__name__": "ledger.storage.store", "threading": threading})
        assert isinstance(made, Watched)


def test_elsewhere_says_who_has_to_wait() -> None:
    lock = threading.Lock()
    assert elsewhere(lock.locked)
