"""Waiting for news while the database is away: whoever waits is woken once it is back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from api.http import growth
from api.http.growth import LogGrowth
from ledger.books import log
from ledger.errors import DatabaseUnreachable
from ledger.storage.store import Store
from tests.house import House

pytestmark = pytest.mark.integration


class Away(Store):
    """The database of another store, while it does not answer so many times."""

    def __init__(self, store: Store, error: Exception, times: int) -> None:
        self._store, self._error, self.left = store, error, times
        self.changes = store.changes

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Raises the error."""
        if self.left:
            self.left -= 1
            raise self._error
        with self._store.read() as session:
            yield session


@pytest.mark.parametrize("error", [DatabaseUnreachable("it restarts"), KeyError("a fault of ours")])
def test_who_waits_for_news_is_woken_after_the_database_was_away(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Before, the first failure ended the watcher without a word, and the size stood still for ever."""
    monkeypatch.setattr(growth, "WATCH_SECONDS", 0.001)
    house.start()
    with house.ledger.store.read() as session:
        size = log.size(session)
    said, store = list[str](), Away(house.ledger.store, error, 3)
    watched = LogGrowth(replace(house.ledger, store=store), said.append)

    async def wait() -> int:
        stop = threading.Event()
        watching = threading.Thread(target=watched.watch, args=(stop, asyncio.get_running_loop()), daemon=True)
        watching.start()
        found = await watched.above(size - 1, 60)
        stop.set()
        await asyncio.to_thread(watching.join)
        return found

    assert asyncio.run(wait()) == size > 0
    assert store.left == 0


def test_a_server_without_a_keeper_reports_a_lost_database(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "WATCH_SECONDS", 0.0)
    said, store = list[str](), Away(house.ledger.store, DatabaseUnreachable("it restarts"), 10**9)
    watched, stop = LogGrowth(replace(house.ledger, store=store), said.append, grace=0.0), threading.Event()
    with asyncio.Runner() as runner:
        watching = threading.Thread(target=watched.watch, args=(stop, runner.get_loop()), daemon=True)
        watching.start()
        while not said:
            stop.wait(0.01)
        store.left = 0
        while len(said) < 2:
            stop.wait(0.01)
        stop.set()
        watching.join()
    assert said[0] == "the database does not answer: it restarts; trying again"
    assert said[1].startswith("the database answers again")
