"""SIGKILL at random moments of a node, SIGSTOP for 1 to 120 s, in good weather: every round that could be proven is.

    python -m benchmarks.weather.stops [--kills 200] [--stops 50] [--nodes 4] [--seed S]

Each node has a course of its own: it runs for a while, is killed and started again at once, or stopped and let go on,
and again. A round could be proven if its node was never away for longer than its lease while the round was open.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from benchmarks.weather.__main__ import POSTED_SECONDS, posted
from benchmarks.weather.lines.gusts import Gust, Schedule, Storm
from benchmarks.weather.network import NODES, RULES, Network
from benchmarks.weather.outcome.facts import Facts, facts
from benchmarks.weather.outcome.verdict import is_good, verdict
from benchmarks.weather.playing import Played, Player

RUNS = (2.0, 45.0)
"""Seconds that a node runs between two deeds: starting takes some of them, a round takes most."""
STOPS = (1.0, 120.0)
STARTING = 20.0
"""Seconds until a node that is started again shows a sign of life, on a machine that is busy."""
LEASE = float(RULES.lease_seconds)


def courses(seed: int, kills: int, stops: int, nodes: Sequence[str]) -> Schedule:
    """All deeds, shared out among the nodes; one storm that ends when the last of them is over."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    deeds = ["kill"] * kills + ["stop"] * stops
    rng.shuffle(deeds)
    gusts: list[Gust] = []
    for place, node in enumerate(nodes):
        now = 0.0
        for kind in deeds[place :: len(nodes)]:
            now += rng.uniform(*RUNS)
            seconds = rng.uniform(*STOPS) if kind == "stop" else 0.0
            gusts.append(Gust(round(now, 2), round(seconds, 2), node, kind))
            now += seconds
    ends = round(max(gust.ends for gust in gusts) + 1, 1)
    return Schedule(seed, ends, (Storm(0.0, ends),), tuple(sorted(gusts, key=lambda gust: gust.at)))


def unproven(found: Facts, played: Played) -> list[str]:
    """Rounds that could be proven and are not paid: a proof that ended otherwise than posted, or a commitment that did
    not come though its node was never away for longer than its lease."""
    ends = [
        f"{proof.node}, round {proof.round}: {found.ends[name]}"
        for name, proof in found.proofs.items()
        if found.ends.get(name, "posted") != "posted"
    ]
    for node, number in found.missed():
        begins, closes = time_of(played, found.opened[number]), time_of(played, found.closed[number])
        if away(played, node, begins, closes) <= LEASE:
            ends.append(f"{node}, round {number}: no commitment, open from {begins:.0f} to {closes:.0f} s")
    return ends


def away(played: Played, node: str, begins: float, ends: float) -> float:
    """The longest time on end in which it could give no sign of life; starting again is a part of it."""
    spans = sorted((since, until + STARTING) for name, since, until in played.down if name == node)
    longest, last = 0.0, -1.0
    first = last
    for since, until in spans:
        if since > last:
            first = since
        last = max(last, until)
        if last > begins and first < ends:
            longest = max(longest, last - first)
    return longest


def time_of(played: Played, index: int) -> float:
    """About when an entry came: the first look at which the log had it."""
    place = bisect_right(played.sizes, index, key=lambda look: look[1])
    return played.sizes[place][0] if place < len(played.sizes) else played.sizes[-1][0]


def stops(folder: Path, found: Schedule, nodes: int) -> dict[str, Any]:
    """Play the courses, let every node be paid once more, and judge."""
    with Network(folder, found.seed, nodes) as network:
        network.wait("the first round", lambda: facts(network).opened, POSTED_SECONDS)
        played = Player(network, found).play()
        after, read = posted(network, played, POSTED_SECONDS)
        return {
            "seed": found.seed,
            "nodes": nodes,
            "seconds": round(found.seconds),
            "deeds": dict(Counter(gust.kind for gust in found.gusts)),
            "found_nobody": dict(played.idle),
            "back_seconds": played.slowest(),
            "unproven": unproven(read, played),
            "not_paid_after": sorted(set(network.nodes) - read.posted_since(played.calm_size)),
            "seconds_to_be_paid_after": after,
            **verdict(network, read),
        }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-stops-"))
    progress(f"logs: {folder}")
    found = courses(args.seed, args.kills, args.stops, NODES[: args.nodes])
    (folder / "schedule.jsonl").write_text(found.to_json())
    body = stops(folder, found, args.nodes)
    write_result("stops", body)
    good = is_good(body) and not body["unproven"] and not body["not_paid_after"]
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    progress(f"{'good' if good else f'NOT good, see {folder}'}: { ({n: v for n, v in body.items() if n != 'said'}) }")


if __name__ == "__main__":
    main()
