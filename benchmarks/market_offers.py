"""How long 10,000 offers of all stand-ins take from a cold start, while one provider hangs.

    python -m benchmarks.market_offers [--offers N] [--turns N] [--seconds S]

The stand-ins are real HTTP servers of this process; each turn is a process of its own, timed from its start. `rest` is
when the last provider but the hanging one had answered, `all` when the view was there. The bar is 2 seconds for all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.record import progress, write_result
from commonweight.market.view.gathering import LATE
from tests.commonweight.market.stand_ins.catalogs import Publisher, publishing, row
from tests.commonweight.market.stand_ins.dstack import DstackStandIn, offer
from tests.commonweight.market.stand_ins.stand_in import Fault, standing

BAR = 2.0
SERVERS, LISTS = 3, ("aws", "gcp")
HANGS = 60.0


def measured(count: int, turns: int, seconds: float) -> list[dict[str, Any]]:
    """What each turn found. Raises RuntimeError where an offer is missing or another provider than the hanging one."""
    each = count // (SERVERS + len(LISTS))
    with ExitStack() as stack:
        servers = [stack.enter_context(standing(_server(number, each))) for number in range(SERVERS)]
        hanging = stack.enter_context(standing(DstackStandIn(slow_seconds=HANGS)))
        publisher = stack.enter_context(publishing(Publisher({name: _list(each) for name in LISTS})))
        urls = ",".join(server.url for server in [*servers, hanging])
        found = []
        for turn in range(turns):
            hanging.faults = [("POST", "/", Fault.SLOW)]
            found.append(_turn(seconds, urls, publisher.url))
            progress(f"turn {turn + 1}: {found[-1]}")
            _require(found[-1], each * (SERVERS + len(LISTS)))
    return found


def _server(number: int, count: int) -> DstackStandIn:
    return DstackStandIn(offers=[offer(1 + index / 1000, name=f"type-{number}-{index}") for index in range(count)])


def _list(count: int) -> list[dict[str, str]]:
    return [row(instance_name=f"type-{index}", price=str(1 + index / 1000)) for index in range(count)]


def _turn(seconds: float, urls: str, lists: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.market_view", str(seconds), str(time.monotonic()), urls]
    environment = {name: value for name, value in os.environ.items() if name != "GPUHUNT_CATALOG_DIR"}
    done = subprocess.run(
        [*command, ",".join(LISTS)],
        env=environment | {"GPUHUNT_CATALOG_URL": lists},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _require(found: dict[str, Any], count: int) -> None:
    if found["offers"] != count or [failure["code"] for failure in found["failed"]] != [LATE]:
        raise RuntimeError(f"{count} offers and one late provider were to come: {found}")


def main() -> None:
    """Measure, record, and fail over the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    asked = parser.parse_args()
    found = measured(asked.offers, asked.turns, asked.seconds)
    worst = {name: round(max(one[name] for one in found), 2) for name in ("loaded", "rest", "all")}
    for name, seconds in worst.items():
        print(f"{name:8} {seconds:5.2f} s at worst of {asked.turns}", flush=True)
    is_kept = worst["all"] <= BAR
    result = {"offers": found[0]["offers"], "hanging": 1, "seconds for each": asked.seconds, "worst": worst}
    write_result("market_offers", result | {"bar": BAR, "is kept": is_kept})
    sys.exit(0 if is_kept else 1)


if __name__ == "__main__":
    main()
