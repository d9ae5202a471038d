"""The simulator's seeds against the real service: each fact as a signed message, through the door, into SQLite.

    python -m benchmarks.adversary_service [--service SEEDS] [--start SEED]
                                                              writes benchmarks/results/adversary_service.json

From a first seed on one history of each strategy after the other, two of each, and then some whose seeds choose one
strategy or two. Entries, refusals, ends of proofs, faults, earnings and the books have to be equal
(tests/adversary/service); a difference is told with its seed. Bar: 50 seeds, none different.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from tests.adversary.service import Different, Served, serve
from tests.adversary.sim import STRATEGIES
from tests.adversary.sim.strategies import RENTED

ROUNDS = 2
"""Seeds of each strategy at least."""
NAMED = [name for name in STRATEGIES if name not in RENTED]
LEAST = ROUNDS * len(NAMED) + 16
TELL = 10.0
"""Seconds between two lines."""


def seeds(start: int, count: int) -> Iterator[tuple[int, str | None]]:
    """As many histories: each strategy twice, and what the seeds themselves choose."""
    named = [(seed, name) for seed in range(start, start + ROUNDS) for name in NAMED]
    yield from named[:count]
    for seed in range(start + ROUNDS, start + ROUNDS + count - len(named)):
        yield seed, None


def run(start: int, count: int) -> dict[str, Any]:
    """Serve them all."""
    served, different = list[Served](), list[str]()
    began, told = time.monotonic(), 0.0
    for seed, strategy in seeds(start, count):
        try:
            with tempfile.TemporaryDirectory() as folder:
                served.append(serve(seed, strategy, Path(folder)))
        except Different as error:
            different.append(str(error))
            progress(f"DIFFERENT {error}")
        seconds = time.monotonic() - began
        if seconds - told > TELL:
            told = seconds
            progress(_line(served, different, count, seconds))
    return reached(served, different, time.monotonic() - began)


def _line(served: list[Served], different: list[str], count: int, seconds: float) -> str:
    entries = sum(one.entries for one in served)
    done = len(served) + len(different)
    return f"{done} of {count} seeds, {entries:,} entries, {entries / seconds:.0f}/s, {len(different)} different"


def reached(served: list[Served], different: list[str], seconds: float) -> dict[str, Any]:
    """What is written."""
    kinds, refused, proofs = Counter[str](), Counter[str](), Counter[str]()
    for one in served:
        kinds += one.kinds
        refused += one.refused
        proofs.update(_short(end) for end in one.ends.proofs.values())
    return {
        "seeds": len(served) + len(different),
        "strategies": len({one.strategy for one in served}),
        "entries": kinds.total(),
        "seconds": round(seconds),
        "entries a second": round(kinds.total() / max(seconds, 0.001)),
        "different": different,
        "kinds": dict(kinds.most_common()),
        "ends of proofs": dict(proofs.most_common()),
        "refused by both": dict(refused.most_common()),
        "sent again and answered alike": sum(one.known for one in served),
    }


def _short(end: tuple[object, ...]) -> str:
    """Posted, out, undecided or open; void with its reason."""
    return f"void, {end[1]}" if end[0] == "void" else str(end[0])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", type=int, default=LEAST, help="how many seeds")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    args = parser.parse_args()
    found = run(args.start, args.service)
    write_result("adversary_service", found)
    progress(
        f"{found['seeds']} seeds, {found['entries']:,} entries, {found['entries a second']} a second, "
        f"{len(found['different'])} different"
    )


if __name__ == "__main__":
    main()
