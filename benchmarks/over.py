"""What a long past costs: a keeper's pass and every page, with much that is over and with little, side by side.

Two servers on one chain, whose tables, log and machine hold finished proofs, epochs, nodes, runs and proposals
(tests/long_past.py): each thing is timed on one and on the other in turn, and the medians are divided. A step of the
keeper is timed without the chain's answers, which cost the same and would hide what it reads; a page with all that
serves it. With SQLite all is done in this process, and its CPU time is taken; with PostgreSQL it is the clock's. A
ratio above the bar is measured twice more, and the middle one counts: a busy machine makes ratios of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from ledger.clock import keeper
from ledger.clock.news import News
from ledger.relay import outbox
from tests import long_past
from tests.databases import KINDS, fresh_database
from tests.house import House
from tests.ledger.served_run import Served
from tests.long_past import Past

SHORT, LONG = Past(100, 100, 100, 100), Past(100_000, 1_000, 10_000, 1_000)
TIMES = 100
BAR = 1.3
Work = dict[str, Callable[[], Any]]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"sqlite": time.process_time, "postgresql": time.perf_counter}


class ChainTime:
    """Seconds that a chain took to answer so far."""

    def __init__(self, place: Served, clock: Clock) -> None:
        self.seconds, self.clock = 0.0, clock
        self._ask = place.w3.provider.make_request
        place.w3.provider.make_request = self._timed  # type: ignore[method-assign]

    def _timed(self, method: Any, params: Any) -> Any:
        began = self.clock()
        try:
            return self._ask(method, params)
        finally:
            self.seconds += self.clock() - began


def main() -> None:
    """Parse, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("proofs", "epochs", "nodes", "proposals"):
        parser.add_argument(f"--{name}", type=int, default=getattr(LONG, name), help=f"finished {name} at the top")
    parser.add_argument("--times", type=int, default=TIMES, help="how often each thing is done in each past")
    parser.add_argument("--database", choices=[*KINDS, "both"], default="both")
    asked = parser.parse_args()
    top = Past(asked.proofs, asked.epochs, asked.nodes, asked.proposals)
    kinds = KINDS if asked.database == "both" else (asked.database,)
    found = {kind: _measure(kind, top, asked.times) for kind in kinds}
    for kind, figures in found.items():
        worst = max(figures, key=lambda name: figures[name]["ratio"])
        progress(f"{kind}: the largest ratio is {figures[worst]['ratio']}, of {worst}; the bar is {BAR}")
    write_result("over", {"short": vars(SHORT), "long": vars(top), "times": asked.times, **found})


def _measure(kind: str, top: Past, times: int) -> dict[str, Any]:
    with _pair(kind, top) as (place, houses):
        chain = ChainTime(place, CLOCKS[kind])
        short, long = (_work(house, past) for house, past in zip(houses, (SHORT, top), strict=True))
        found = {}
        for name in short:
            found[name] = _ratio(short[name], long[name], chain, times)
            progress(f"{kind}: {name}: {json.dumps(found[name])}")
        return found


def _ratio(short: Callable[[], Any], long: Callable[[], Any], chain: ChainTime, times: int) -> dict[str, Any]:
    tries = [_once(short, long, chain, times)]
    if tries[0]["ratio"] > BAR:
        tries += [_once(short, long, chain, times) for _ in range(2)]
    return sorted(tries, key=lambda one: float(one["ratio"]))[len(tries) // 2] | {"tries": len(tries)}


def _once(short: Callable[[], Any], long: Callable[[], Any], chain: ChainTime, times: int) -> dict[str, Any]:
    low, high = (statistics.median(taken) for taken in _in_turn(short, long, chain, times))
    return {"short_ms": _ms(low), "long_ms": _ms(high), "ratio": round(high / low, 2)}


@contextmanager
def _pair(kind: str, top: Past) -> Iterator[tuple[Served, list[House]]]:
    place, houses = Served(), list[House]()
    with ExitStack() as opened:
        for past in (SHORT, top):
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            url = opened.enter_context(fresh_database(kind, folder))
            houses.append(opened.enter_context(House(folder / "house", place, url)))
            began = time.perf_counter()
            long_past.fill(houses[-1], past)
            progress(f"{kind}: {past} filled in {time.perf_counter() - began:.0f} s")
        yield place, houses


def _work(house: House, past: Past) -> Work:
    """The whole pass, and each page."""
    news = News()
    found: Work = {"a keeper's pass": partial(_pass, house, news), "a copy of the machine": partial(_copy, house)}
    return found | {name: partial(_ask, house, *one) for name, one in long_past.pages(past).items()}


def _pass(house: House, news: News) -> None:
    keeper.step(house.ledger)
    news.tell(house.ledger)
    outbox.due_in(house.ledger)


def _copy(house: House) -> None:
    """As a writer begins with one after another's failed, and a block that is due is read by one."""
    with house.ledger.store.read() as session:
        house.ledger.judge.copy(session)


def _ask(house: House, path: str, query: dict[str, Any]) -> None:
    answer = house.client.get(path, params=query)
    assert answer.status_code == 200, answer.text


def _in_turn(
    short: Callable[[], Any], long: Callable[[], Any], chain: ChainTime, times: int
) -> tuple[list[float], list[float]]:
    taken: tuple[list[float], list[float]] = ([], [])
    pair = list(zip((short, long), taken, strict=True))
    for turn in range(times + 2):
        for do, kept in pair[:: 1 if turn % 2 else -1]:  # who comes first pays for waking threads
            began, asked = chain.clock(), chain.seconds
            do()
            if turn >= 2:  # the first ones warm up
                kept.append(chain.clock() - began - (chain.seconds - asked))
    return taken


def _ms(seconds: float) -> float:
    return round(1_000 * seconds, 2)


if __name__ == "__main__":
    main()
