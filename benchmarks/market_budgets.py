"""Spend of a fleet against its budget in random histories: prices rise, machines are preempted, bills come late.

python -m benchmarks.market_budgets [--histories 1000]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.record import progress, write_result
from tests.commonweight.market.renting.histories import play
from verifier.mirror.store import database


def main() -> None:
    """Play them, and print the largest part of a budget that was spent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1000)
    count = parser.parse_args().histories
    database.SYNCHRONOUS = "OFF"  # nothing here loses power
    over, running, launches, most = 0, 0, 0, 0.0
    for seed in range(count):
        with tempfile.TemporaryDirectory() as folder:
            outcome = play(seed, Path(folder))
        over += outcome.spent > outcome.budget
        running += outcome.running + outcome.unfinished
        launches += outcome.launches
        most = max(most, outcome.spent / outcome.budget)
        if seed % 50 == 49:
            progress(f"{seed + 1} histories: {over} over their budget, {running} left running")
    found = {"histories": count, "over": over, "left running": running, "launches": launches, "most spent": most}
    write_result("market_budgets", found)
    print(found)


if __name__ == "__main__":
    main()
