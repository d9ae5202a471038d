"""How long 10,000 offers of all stand-ins take from a cold start, while one provider hangs.

    python -m benchmarks.market_offers [--offers N] [--turns N] [--seconds S]

The stand-ins are real HTTP servers of this process, one for each adapter and one for price lists; each turn is a new
process, timed from its start. `rest` is when the last provider but the hanging one had answered, `all` when the view
was there: `--seconds`, which each provider has, after the program was loaded. The bar is 2 seconds for all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.market_view import KEY
from benchmarks.record import progress, write_result
from commonweight.market.view.gathering import LATE
from tests.commonweight.market.stand_ins.akash import AkashStandIn, model
from tests.commonweight.market.stand_ins.catalogs import Publisher, publishing, row
from tests.commonweight.market.stand_ins.dstack import DstackStandIn, offer
from tests.commonweight.market.stand_ins.ionet import IoNetStandIn, hardware
from tests.commonweight.market.stand_ins.lambda_cloud import LambdaStandIn, type_row
from tests.commonweight.market.stand_ins.stand_in import Fault, StandIn, standing
from tests.commonweight.market.stand_ins.vast import VastStandIn, offer_row

BAR = 2.0
LISTS = ("aws", "gcp")
HANGS = 60.0
SIZES = 3
"""Of machines in which Akash's statistics are shown for a model with four GPUs free."""


def measured(count: int, turns: int, seconds: float) -> list[dict[str, Any]]:
    """What each turn found; `whole` where no offer is missing and only the hanging provider was late."""
    with ExitStack() as stack:
        living = [f"{kind}={stack.enter_context(standing(one)).url}" for kind, one in _servers(count)]
        hanging = stack.enter_context(standing(DstackStandIn(key=KEY, slow_seconds=HANGS)))
        rows = _list(count // 5)
        publisher = stack.enter_context(publishing(Publisher(dict.fromkeys(LISTS, rows))))
        found = []
        for turn in range(turns):
            hanging.faults = [("POST", "/", Fault.SLOW)]
            one = _turn(seconds, [*living, f"dstack={hanging.url}"], publisher.url)
            found.append(one | {"whole": one["offers"] >= count and [way["code"] for way in one["failed"]] == [LATE]})
            progress(f"turn {turn + 1}: {found[-1]}")
    return found


def _servers(count: int) -> list[tuple[str, StandIn]]:
    """Three fifths of the offers: one at Vast, half of them bids; one at Lambda and Akash; one at dstack. io.net is
    asked for a quote for each of its offers, and has one."""
    tenth, few = count // 10, count // 50
    vast = {number: offer_row(number) for number in range(1, tenth + 1)}
    regions = [{"name": f"us-{number}-1", "description": "Virginia, USA"} for number in range(few // 2)]
    types = {
        f"gpu_{number}x": type_row(f"gpu_{number}x", "H100 (80 GB SXM5)", 300, 8, *regions) for number in range(10)
    }
    models = [model(f"model{number}", 2.5) for number in range(-(-5 * few // SIZES))]
    rented = [offer(1 + number / 1000, name=f"type-{number}") for number in range(2 * tenth)]
    return [
        ("vast", VastStandIn(key=KEY, offers=vast, page=500)),
        ("lambda", LambdaStandIn(key=KEY, types=types)),
        ("akash", AkashStandIn(key=KEY, models=models)),
        ("ionet", IoNetStandIn(key=KEY, hardware=[hardware(1, "H100 SXM5 80GB", 2.5)])),
        ("dstack", DstackStandIn(key=KEY, offers=rented)),
    ]


def _list(count: int) -> list[dict[str, str]]:
    return [row(instance_name=f"type-{index}", price=str(1 + index / 1000)) for index in range(count)]


def _turn(seconds: float, providers: list[str], lists: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.market_view", str(seconds), str(time.monotonic()), ",".join(LISTS)]
    environment = {name: value for name, value in os.environ.items() if name != "GPUHUNT_CATALOG_DIR"}
    environment["GPUHUNT_CATALOG_URL"] = lists
    done = subprocess.run([*command, *providers], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Measure, record, and fail over the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0)
    asked = parser.parse_args()
    found = measured(asked.offers, asked.turns, asked.seconds)
    names = ("loaded", "rest", "all", "cpu")
    worst = {name: round(max(one[name] for one in found), 2) for name in names}
    median = {name: round(statistics.median(one[name] for one in found), 2) for name in names}
    for name in names:
        print(f"{name:8} {worst[name]:5.2f} s at worst of {asked.turns}, median {median[name]:5.2f}", flush=True)
    whole = sum(one["whole"] for one in found)
    print(f"{whole} of {asked.turns} turns had every offer", flush=True)
    is_kept = worst["all"] <= BAR and whole == asked.turns
    result = {
        "offers": min(one["offers"] for one in found),
        "turns with all": f"{whole} of {asked.turns}",
        "hanging": 1,
        "seconds for each": asked.seconds,
        "worst": worst,
        "median": median,
    }
    write_result("market_offers", result | {"bar": BAR, "is kept": is_kept})
    sys.exit(0 if is_kept else 1)


if __name__ == "__main__":
    main()
