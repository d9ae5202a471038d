"""Many processes send the same commitments at once to one server, on PostgreSQL and on SQLite: each is entered once.

Every commitment is sent by several writers, at about the same time, through the server's own door, each process with a
machine of rules of its own. Afterwards, from the database alone: each stands in the log once and nothing else does, the
log has no gap, its root follows from its entries, its work is pending once, and the log is what the rules make of it. A
caller that is told to come again (`ledger-busy`) comes again and is counted; any other error that reaches one fails the
run.

`--isolation` compares the ledger's one writer at a time with PostgreSQL's SERIALIZABLE on a journal entry and a log
entry, both with the whole transaction tried again where it was aborted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, func, select

from benchmarks.record import progress, write_result
from benchmarks.submitted_round import Opened, ledger_at, open_rounds
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.protocol.log.codec import canonical
from contracts.protocol.log.follower import audit
from ledger.books import journal, log
from ledger.context import Ledger
from ledger.errors import LedgerBusy
from ledger.intake import door
from ledger.storage.store import Store
from ledger.storage.tables import AnnouncedRow, LogEntry, Transfer
from tests import databases, postgres

NOW = 1_000
"""When an entry of the journal is said to be made."""

COPIES = 3
AGAIN = "told to come again"
ABORTED = ("40001", "40P01", "23505")  # serialization, deadlock, and two that took the same index
_barrier: Any = None


class NotHeld(AssertionError):
    """The ledger broke its word."""


def require(held: bool, said: str) -> None:
    """Raises NotHeld."""
    if not held:
        raise NotHeld(said)


def _sent_by(writer: int, writers: int, events: int) -> list[int]:
    """Each event's copies go to COPIES neighbours, which come to it at about the same time."""
    return [event for event in range(events) if (writer - event) % writers < min(COPIES, writers)]


def _meet(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _submit(writer: int, writers: int, url: str, folder: str, texts: list[bytes]) -> Counter[str]:
    """One writer: what reached it as an error, by name."""
    ledger = ledger_at(url, Path(folder))
    with ledger.store.read() as session, ledger.judge.view(session):
        mine = [texts[event] for event in _sent_by(writer, writers, len(texts))]
    errors: Counter[str] = Counter()
    _barrier.wait()
    for text in mine:
        try:
            errors[AGAIN] += _send(ledger, text)
        except Exception as error:
            errors[f"{type(error).__name__}: {error}"[:200]] += 1
    return errors


def _send(ledger: Ledger, text: bytes) -> int:
    """Through the door, as often as it takes; returns how often the ledger was busy."""
    busy = 0
    while True:
        try:
            door.take(ledger, text)
            return busy
        except LedgerBusy:
            busy += 1
            time.sleep(1)  # what Retry-After says


def together(writers: int, work: Callable[..., Any], *arguments: Any) -> tuple[list[Any], float]:
    """`work(writer, writers, ...)` in so many processes that begin together; their answers, and the seconds it took."""
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.submitted_round"])
    barrier = context.Barrier(writers + 1)
    with context.Pool(writers, _meet, (barrier,)) as pool:
        done = pool.starmap_async(work, [(writer, writers, *arguments) for writer in range(writers)], chunksize=1)
        barrier.wait(600)
        begun = time.perf_counter()
        return done.get(), time.perf_counter() - begun


def check(session: Session, ledger: Ledger, opened: Opened) -> None:
    """Raises NotHeld unless every commitment is there once and all adds up, and Differs where no rule leads there."""
    events = len(opened.texts)
    bodies = list(session.exec(select(LogEntry.body).order_by(col(LogEntry.index))))
    indices = session.exec(select(LogEntry.index).order_by(col(LogEntry.index))).all()
    require(list(indices) == list(range(len(bodies))), "the log has a gap")
    new = Counter(bodies[opened.size :])
    require(new == Counter(text.decode() for text in opened.texts), f"{new.total()} new entries, not {events}")
    for table in (Transfer, AnnouncedRow):
        stored = session.exec(select(func.count()).select_from(table)).one()
        require(stored == events, f"{stored} rows of {table.__name__}, not {events}")
    root = SHA256_TREE.root([body.encode() for body in bodies])
    require(root == log.root(session, len(bodies)), "the log's root does not follow from its entries")
    pending = session.exec(select(Transfer).where(Transfer.book == "work", col(Transfer.pending)))
    require(sum(row.amount for row in pending) == opened.tokens * events, "the books hold another sum")
    audit(bodies, ledger.judge.functions, ledger.judge.domain)


def submitters(url: str, folder: Path, writers: int, events: int) -> dict[str, Any]:
    """Run them and check what they left. Raises NotHeld, also where an error reached a caller."""
    ledger = ledger_at(url, folder)
    opened = open_rounds(ledger, events)
    reached, seconds = together(writers, _submit, url, str(folder), opened.texts)
    errors: Counter[str] = sum(reached, Counter())
    again = errors.pop(AGAIN, 0)
    require(not errors, f"errors reached callers: {dict(errors)}")
    with ledger.store.read() as session:
        check(session, ledger, opened)
    ledger.store.engine.dispose()
    sent = events * min(COPIES, writers)
    return {
        "writers": writers,
        "events": events,
        "sent": sent,
        "told_to_come_again": again,
        "seconds": round(seconds, 1),
        "events_per_second": round(events / seconds, 1),
        "messages_per_second": round(sent / seconds, 1),
    }


# ---- one writer at a time, or SERIALIZABLE


def _enter(session: Session, writer: int, number: int) -> None:
    name = f"{writer}-{number}"
    journal.record(
        session, Transfer(id=name, book="work", debit="run", credit="node", amount=1, pending=False, made=NOW)
    )
    log.extend(session, [(canonical({"kind": "event", "value": name}), None)])


def _one_at_a_time(writer: int, _writers: int, entries: int, url: str) -> int:
    store = Store(url)
    _barrier.wait()
    for number in range(entries):
        with store.write() as session:
            _enter(session, writer, number)
    return 0


def _serializable(writer: int, _writers: int, entries: int, url: str) -> int:
    """Returns how often a transaction was aborted."""
    store, aborted = Store(url), 0
    engine = store.engine.execution_options(isolation_level="SERIALIZABLE")
    _barrier.wait()
    for number in range(entries):
        while True:
            try:
                with Session(engine) as session:
                    _enter(session, writer, number)
                    session.commit()
                break
            except DBAPIError as error:
                require(getattr(error.orig, "sqlstate", None) in ABORTED, str(error))
                aborted += 1
                time.sleep(random.uniform(0, 0.01))  # noqa: S311 - a wait
    return aborted


def isolation(fresh: Callable[[], Any], entries: int) -> list[dict[str, Any]]:
    """Commits a second and the share of aborted transactions, side by side."""
    found = []
    for writers in (1, 8, 32):
        for name, work in (("one writer at a time", _one_at_a_time), ("SERIALIZABLE", _serializable)):
            with fresh() as url:
                aborted, seconds = together(writers, work, entries // writers, url)
            commits = writers * (entries // writers)
            found.append(
                {
                    "writers": writers,
                    "isolation": name,
                    "commits_per_second": round(commits / seconds, 1),
                    "aborted": round(sum(aborted) / (sum(aborted) + commits), 3),
                }
            )
            progress(str(found[-1]))
    return found


def main() -> None:
    """Both databases, or with --isolation PostgreSQL alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--isolation", action="store_true", help="compare with SERIALIZABLE instead")
    options = parser.parse_args()
    postgres.keep_what_is_committed()
    if options.isolation:
        write_result("submitters_isolation", {"points": isolation(postgres.fresh_database, options.events // 10)})
        return
    points = {}
    for kind in reversed(databases.KINDS):
        with tempfile.TemporaryDirectory() as folder, databases.fresh_database(kind, Path(folder)) as url:
            points[kind] = submitters(url, Path(folder), options.writers, options.events)
        progress(f"{kind}: {points[kind]}")
    write_result("submitters", points)


if __name__ == "__main__":
    main()
