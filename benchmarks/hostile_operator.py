"""What an operator of bad will costs in time: the same run with a server that is honest, deaf, without bytes, or forks.

The work is paid in each, and nobody honest is void (tests/service/test_hostile_operator.py holds that). Told is how
much later than with an honest server the run is over.

    python -m benchmarks.hostile_operator [--runs 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from tests.service.stage import staged
from tests.service.test_hostile_operator import Play

WAYS: dict[str, dict[str, Any]] = {
    "honest": {},
    "deaf for one node": {"deaf_for": "ada"},
    "deaf for one verifier": {"deaf_for": "verifier 0"},
    "loses every blob": {"losing": True},
    "two logs": {"forks_for": "verifier 0"},
}


def seconds_of(way: dict[str, Any]) -> float:
    """From the run's terms to its end; raises unless all work is paid."""
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        play = Play(stage)
        begun = time.monotonic()
        play.run(**way)
        seconds = time.monotonic() - begun
        if play.ends() != {"ada": ["posted"], "ben": ["posted"]} or not play.paid():
            raise RuntimeError(f"not all work was paid: {play.ends()}")
        return seconds


def main() -> None:
    """Side by side, way after way in each turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(runs):
        for name, way in WAYS.items():
            found[name].append(seconds_of(way))
            progress(f"{name:24} {found[name][-1]:6.1f} s")
    medians = {name: round(statistics.median(values), 1) for name, values in found.items()}
    write_result("hostile_operator", {"runs": runs, "seconds": medians})
    print(medians)


if __name__ == "__main__":
    main()
