"""An hour of an ordinary run: how many lines each process prints, and which.

    python -m benchmarks.weather.hour [--minutes 60] [--nodes 2] [--seed S]      writes benchmarks/results/hour.json

Rounds have 500 steps of a model of 3 M parameters, good weather and nobody who cheats. What people read counts, and not
the objects for scripts, which have every step. Bar: less than 200 lines a process, and none with which a person could
do nothing: the shapes of all lines are in the result, to be read.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from benchmarks.weather.network import CONFIG, RULES, Network
from benchmarks.weather.outcome.facts import facts
from benchmarks.weather.outcome.said import said_by
from benchmarks.weather.outcome.verdict import is_good, verdict

ORDINARY = {**CONFIG, "layers": 4, "d_model": 256, "heads": 8, "context": 128, "steps": 500, "segment": 10}
LINES_BAR = 200
LOOK_SECONDS = 30.0
PATIENCE = 1_800.0


def hour(folder: Path, seed: int, minutes: float, nodes: int) -> dict[str, Any]:
    """Let a network run for so long, and count."""
    with Network(folder, seed, nodes, rules=RULES, config=ORDINARY, plain=True) as network:
        network.wait("the first round", lambda: facts(network).opened, PATIENCE)
        ends = time.monotonic() + 60 * minutes
        while time.monotonic() < ends:
            for party in network.parties.values():
                party.look(time.monotonic() - network.begun)
            time.sleep(LOOK_SECONDS)
        found = network.wait("the log", lambda: facts(network), PATIENCE)
        said = said_by({party.name: party.log for party in network.parties.values()})
        lines = {name: one.lines for name, one in said.items()}
        shapes = {name: dict(one.events) | dict(one.others) for name, one in said.items()}
        return {
            "minutes": minutes,
            "nodes": nodes,
            "lines": lines,
            "most_lines": max(lines.values()),
            "shapes": shapes,
            **verdict(network, found),
        }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-hour-"))
    progress(f"logs: {folder}")
    body = hour(folder, args.seed, args.minutes, args.nodes)
    write_result("hour", body)
    good = is_good(body) and body["most_lines"] < LINES_BAR
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    progress(f"{'good' if good else f'NOT good, see {folder}'}: {body['lines']}, {body['rounds_merged']} rounds")


if __name__ == "__main__":
    main()
