"""Hours of weather, and what came of it.

    python -m benchmarks.weather [--minutes M] [--seed S] [--nodes N]
    python -m benchmarks.weather --print [--minutes M] [--seed S]      the schedule, one gust a line
    python -m benchmarks.weather --replay FILE                         a schedule that was printed

The folder of logs stays where something is wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from benchmarks.weather.lines import clocks
from benchmarks.weather.lines.gusts import MACHINE, Schedule, schedule
from benchmarks.weather.network import VERIFIERS, Network, lines_of
from benchmarks.weather.outcome.facts import Facts, facts
from benchmarks.weather.outcome.verdict import is_good, verdict
from benchmarks.weather.playing import WORKER, Played, Player

BACK_BAR = 60.0
POSTED_SECONDS = 900.0
"""How long a node has, after the last storm, for a round of its own from opening to payment."""


def plan(seed: int, minutes: float, nodes: int, **weather: Any) -> Schedule:
    """The schedule of a network with so many nodes."""
    lines, names = lines_of(nodes)
    machines = (*names, *(f"{name}{WORKER}" for name in VERIFIERS))
    kinds = MACHINE if clocks.library() else tuple(kind for kind in MACHINE if kind != "clock")
    return schedule(seed, 60 * minutes, lines, machines, **{"machine": kinds, **weather})


def weather(folder: Path, found: Schedule, nodes: int, patience: float = POSTED_SECONDS) -> dict[str, Any]:
    """Play a schedule, wait until every node is paid for a round that began after the last storm, and judge."""
    with Network(folder, found.seed, nodes) as network:
        network.wait("the first round", lambda: facts(network).opened, patience)
        played = Player(network, found).play()
        after, read = posted(network, played, patience)
        return {
            "seed": found.seed,
            "minutes": round(found.seconds / 60, 1),
            "nodes": nodes,
            "storms": len(found.storms),
            "gusts": dict(sorted(played.gusts.items())),
            "met": dict(sorted(network.sky.met.items())),
            "found_nobody": dict(played.idle),
            "back_seconds": played.slowest(),
            "back": played.calms,
            "not_paid_after": sorted(set(network.nodes) - read.posted_since(played.calm_size)),
            "seconds_to_be_paid_after": after,
            **verdict(network, read),
        }


def posted(network: Network, played: Played, patience: float) -> tuple[float, Facts]:
    """Seconds until each node has a paid proof of a round that opened after the last storm, or until time is up."""
    begun, took = time.monotonic(), 0.0
    while True:
        for party in network.parties.values():
            party.look(took)
        found, took = facts(network), time.monotonic() - begun
        if found.posted_since(played.calm_size) >= set(network.nodes) or took > patience:
            return round(took, 1), found
        time.sleep(3)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--print", action="store_true", dest="shown", help="print the schedule and end")
    parser.add_argument("--replay", type=Path, help="file with a printed schedule")
    args = parser.parse_args()
    found = Schedule.from_json(args.replay.read_text()) if args.replay else plan(args.seed, args.minutes, args.nodes)
    if args.shown:
        sys.stdout.write(found.to_json())
        return
    folder = Path(tempfile.mkdtemp(prefix="commonweight-weather-"))
    progress(f"logs: {folder}")
    (folder / "schedule.jsonl").write_text(found.to_json())
    body = weather(folder, found, args.nodes)
    write_result("weather", body)
    good = is_good(body) and not body["not_paid_after"] and (body["back_seconds"] or 1e9) <= BACK_BAR
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    progress(f"{'good' if good else f'NOT good, see {folder}'}: { ({n: v for n, v in body.items() if n != 'said'}) }")


if __name__ == "__main__":
    main()
