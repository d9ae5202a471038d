"""What each page costs in this checkout beside another one, as of an older commit: CPU time, in turns.

`git worktree add ../before f89943de~1; python -m benchmarks.pages_beside ../before`

Two processes hold equal tables, log and machine (tests/long_past.py), each by its own checkout's code, and answer one
page after the other in turn: other programs on the cores slow both. A ratio is of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
TIMES, WARM = 60, 3
MEMBERS = 1_000


class Server:
    """A process with one checkout's server: a page's name goes in, CPU seconds of one answer come out."""

    def __init__(self, checkout: Path, rows: int) -> None:
        worker = (sys.executable, "-P", str(Path(__file__).resolve()), "--worker", "--rows", str(rows))
        self._process = subprocess.Popen(
            worker,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )
        self.pages: list[str] = self._line()

    def ask(self, page: str) -> float:
        """Raises BrokenPipeError or ValueError where the process has ended."""
        assert self._process.stdin
        print(page, file=self._process.stdin, flush=True)
        return float(self._line())

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Parse, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path, nargs="?", help="folder of the other checkout")
    parser.add_argument("--rows", type=int, default=100, help="rows of a page")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        serve(asked.rows)
    else:
        measure(asked.before.resolve(), asked.rows, asked.times)


def measure(other: Path, rows: int, times: int) -> None:
    """All pages that both have."""
    from benchmarks.record import progress, write_result

    with both((other, HERE), rows) as (before, now):
        found = {}
        for page in (name for name in now.pages if name in before.pages):
            found[page] = ratio(before, now, page, times)
            progress(f"{page}: {json.dumps(found[page])}")
    middle = statistics.median(one["ratio"] for one in found.values())
    progress(f"the median ratio of {len(found)} pages is {middle:.2f}")
    write_result("pages_beside", {"rows": rows, "times": times, "median_ratio": middle, "pages": found})


def ratio(before: Server, now: Server, page: str, times: int) -> dict[str, float]:
    """Milliseconds of both, and now divided by before."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(times + WARM):
        pair = list(zip((before, now), taken, strict=True))
        for server, kept in pair[:: 1 if turn % 2 else -1]:
            kept.append(server.ask(page))
    low, high = (statistics.median(one[WARM:]) for one in taken)
    return {"before_ms": round(1e3 * low, 2), "now_ms": round(1e3 * high, 2), "ratio": round(high / low, 2)}


@contextmanager
def both(checkouts: tuple[Path, Path], rows: int) -> Iterator[list[Server]]:
    """The servers of both checkouts, filled."""
    with ExitStack() as stack:
        servers = [Server(checkout, rows) for checkout in checkouts]
        for server in servers:
            stack.callback(server.end)
        yield servers


def serve(rows: int) -> None:
    """The worker, whose path is its own checkout's: names nothing that an older one lacks."""
    from tests import long_past
    from tests.databases import fresh_database
    from tests.house import House
    from tests.ledger.served_run import Served
    from tests.long_past import Past

    long_past.PAGE = rows
    past = Past(10 * rows, 2 * rows, MEMBERS, 2 * rows)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database("sqlite", folder))
        house = stack.enter_context(House(folder / "house", Served(), url))
        long_past.fill(house, past)
        pages = long_past.pages(past)
        print(json.dumps(list(pages)), flush=True)
        for line in sys.stdin:
            path, query = pages[line.strip()]
            began = time.process_time()
            answer = house.client.get(path, params=query)
            took = time.process_time() - began
            assert answer.status_code == 200, answer.text
            print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
