"""Who waits for a commit hears of it, whichever process made it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, text

from ledger.storage import changes as watching
from ledger.storage.changes import Changes
from ledger.storage.store import Store
from ledger.storage.tables import Cursor
from tests.waiting import until

pytestmark = pytest.mark.integration
WRITE = """
import sys
from ledger.storage.store import Store
from ledger.storage.tables import Cursor
with Store(sys.argv[1]).write(quiet=sys.argv[2] == "quiet") as session:
    session.add(Cursor(name=sys.argv[3], block=1, hash=""))
"""
NOTHING = """
import sys
from ledger.storage.store import Store
from ledger.storage.tables import Cursor
with Store(sys.argv[1]).write() as session:
    session.get(Cursor, "a", with_for_update=True)
"""


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """On either kind of database."""
    made = Store(database)
    yield made
    made.engine.dispose()


@pytest.fixture
def heard(store: Store) -> Iterator[Callable[[], int]]:
    """Commits that were heard of since the watcher stands."""
    with store.changes.watched() as changes:
        until(lambda: changes.count)  # it tells that it stands
        first = changes.count
        yield lambda: changes.count - first


def write(store: Store, name: str, quiet: bool = False) -> None:
    """A commit of this process."""
    with store.write(quiet) as session:
        session.add(Cursor(name=name, block=1, hash=""))


def write_elsewhere(store: Store, name: str, quiet: bool = False) -> None:
    """One of another process."""
    url = store.engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", WRITE, url, "quiet" if quiet else "loud", name], check=True)


def test_a_commit_of_this_process_counts_at_once_and_once(store: Store, heard: Callable[[], int]) -> None:
    for number in range(3):
        write(store, str(number))
        assert heard() == number + 1
    write_elsewhere(store, "other")
    until(lambda: heard() > 3)
    assert heard() == 4, "one's own are heard once, not a second time from the database"


def test_what_is_rolled_back_or_quiet_wakes_nobody(store: Store, heard: Callable[[], int]) -> None:
    with suppress(KeyError), store.write() as session:
        session.add(Cursor(name="a", block=1, hash=""))
        session.flush()
        raise KeyError
    write(store, "b", quiet=True)
    write(store, "c")
    assert heard() == 1


def test_who_waits_is_woken_by_another_process(store: Store, heard: Callable[[], int]) -> None:
    woken = list[bool]()
    seen = store.changes.count
    waiter = threading.Thread(target=lambda: woken.append(store.changes.wait(seen, 600)))
    waiter.start()
    write_elsewhere(store, "a")
    waiter.join()
    assert woken == [True]


def test_nobody_is_woken_where_nothing_is_committed(store: Store, heard: Callable[[], int]) -> None:
    with store.read() as session:
        session.get(Cursor, "a")
    assert not store.changes.wait(store.changes.count, 0.3)


def test_a_commit_before_ones_own_is_not_taken_for_it(store: Store, heard: Callable[[], int]) -> None:
    """Between two looks of the watcher another process commits, and then this one, quietly."""
    for number in range(5):
        before = heard()
        write_elsewhere(store, f"other {number}")
        write(store, f"own {number}", quiet=True)
        until(partial(_is_past, heard, before))


def test_a_watcher_whose_connection_is_lost_listens_again(
    store: Store, heard: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("a file has no connection to lose")
    monkeypatch.setattr(watching, "AGAIN_SECONDS", 0.01)
    with store.engine.connect() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN commonweight'"
        assert connection.execute(text(others)).all(), "it listens"
    until(lambda: heard() > 0)  # what was said meanwhile is looked for
    write_elsewhere(store, "a")
    until(lambda: heard() > 1)


def test_the_last_user_ends_the_watcher(store: Store) -> None:
    with store.changes.watched(), store.changes.watched():
        assert len(_watchers(store.changes)) == 1
    until(lambda: not _watchers(store.changes))


def _watchers(_changes: Changes) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "changes"]


def test_a_commit_right_after_ones_own_is_not_taken_for_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between this process's quiet commit and its look at the file another process commits."""
    monkeypatch.setattr(watching, "POLL_SECONDS", 600.0)
    committed = store.changes.committed

    def beaten(*given: Any) -> None:
        write_elsewhere(store, "other")
        committed(*given)

    with store.changes.watched() as changes:
        until(lambda: changes.count)
        first = changes.count
        write(store, "quiet", quiet=True)
        assert changes.count == first
        monkeypatch.setattr(store.changes, "committed", beaten)
        write(store, "own", quiet=True)
        until(lambda: changes.count == first + 1, 20)


def test_what_changes_nothing_wakes_nobody(store: Store, heard: Callable[[], int]) -> None:
    """A claim that is queued already, a message that is known: strangers can send them again and again."""
    write(store, "a")
    with store.write() as session:
        row = session.get_one(Cursor, "a", with_for_update=True)
        row.block = 1
        session.add(row)
    assert heard() == 1
    with store.write() as session:
        session.get_one(Cursor, "a").block = 2
    assert heard() == 2
    with store.write() as session:
        session.execute(delete(Cursor))
    assert heard() == 3
    with store.read() as session:
        assert session.get(Cursor, "a") is None


def test_another_process_hears_nothing_of_what_changes_nothing(store: Store, heard: Callable[[], int]) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", NOTHING, url], check=True)
    write_elsewhere(store, "a")
    until(lambda: heard() > 0)
    assert heard() == 1


def test_a_watcher_that_breaks_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody hears of another process any more, and nobody says so."""
    monkeypatch.setattr(watching, "AGAIN_SECONDS", 0.01)
    watch, errors = store.changes._again, iter([ZeroDivisionError("a bug")])

    def broken(watch_one: Callable[[threading.Event], None], stop: threading.Event) -> None:
        def once(stopped: threading.Event) -> None:
            for error in errors:
                raise error
            watch_one(stopped)

        watch(once, stop)

    monkeypatch.setattr(store.changes, "_again", broken)
    with store.changes.watched() as changes:
        until(lambda: changes.count, 20)


def _is_past(heard: Callable[[], int], before: int) -> bool:
    return heard() > before
