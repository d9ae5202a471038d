"""Nodes that join, leave and are killed in every round of a run, beside the same run in calm.

    python -m benchmarks.weather.churn [--rounds 50] [--nodes 6] [--seed S]

In each round one node that is away comes back or joins for the first time, one is told to end, and one is killed at a
random moment and started again. The calm run has as many nodes as the other has on average. What is judged: rounds
that merged nothing, honest work that was not paid, and the held-out loss at the end of both.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from benchmarks.weather.network import NODES, STAKE, Network, NotReady
from benchmarks.weather.outcome.back import entries_with
from benchmarks.weather.outcome.facts import Facts, facts
from benchmarks.weather.outcome.verdict import is_good, verdict
from commonweight.model.terms import RunRules

CHURN_RULES = RunRules(
    10**21,
    rounds_per_epoch=5,
    min_nodes=2,
    lease_seconds=15,
    period_seconds=120,
    beacon_span=40,
    node_stake=STAKE,
)
ROUND_SECONDS = 900.0
"""A round that takes longer is given up: the machine is too busy, or the run stands still."""
LOSS_BAR = 0.03


@dataclass(frozen=True)
class Deeds:
    """What happens in one round: who comes, who is told to end, who is killed, and after which part of a round."""

    comes: str
    leaves: str
    killed: str
    moment: float


def plan(seed: int, rounds: int, nodes: Sequence[str], present: int) -> list[Deeds]:
    """The deeds of each round; so many of the nodes are present at the beginning and after each round."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    here, away = list(nodes[:present]), list(nodes[present:])
    found = []
    for _ in range(rounds):
        comes, leaves = rng.choice(away), rng.choice(here)
        stays = [name for name in here if name != leaves]
        found.append(Deeds(comes, leaves, rng.choice(stays), round(rng.uniform(0.1, 0.9), 2)))
        here, away = [*stays, comes], [*(name for name in away if name != comes), leaves]
    return found


@dataclass
class Played:
    """What came of a run: seconds each round took."""

    seconds: list[float] = field(default_factory=list)

    @property
    def usual(self) -> float:
        """Seconds of a round so far, by which a moment within the next one is chosen."""
        return statistics.median(self.seconds) if self.seconds else 10.0


def play(network: Network, rounds: int, deeds: Sequence[Deeds]) -> Played:
    """Let the run go through its rounds; with `deeds`, do those of each round. Raises NotReady."""
    played, done = Played(), 0
    begun = time.monotonic()
    while (found := facts(network)) and len(found.merged) < rounds:
        for party in network.parties.values():
            party.look(time.monotonic() - network.begun)
        number = max(found.opened, default=0)
        if number > done:
            if done:
                played.seconds.append(round(time.monotonic() - begun, 1))
            done, begun = number, time.monotonic()
            progress(f"round {number} of {rounds}, {len(found.merged)} merged, {found.counts()}")
            if number <= len(deeds):
                _do(network, deeds[number - 1], played.usual)
        if time.monotonic() - begun > ROUND_SECONDS:
            raise NotReady(f"round {number} took more than {ROUND_SECONDS:.0f} s; logs are in {network.folder}")
        time.sleep(1)
    return played


def _do(network: Network, deeds: Deeds, usual: float) -> None:
    comes = network.parties[deeds.comes]
    if not comes.group:
        comes.start()
    network.parties[deeds.leaves].tell_to_end()
    time.sleep(deeds.moment * usual)
    network.parties[deeds.killed].kill()
    network.parties[deeds.killed].start()


def lost_rounds(found: Facts) -> list[int]:
    """Rounds that closed and of which nothing was paid."""
    paid = {proof.round for name, proof in found.proofs.items() if found.ends.get(name) == "posted"}
    return [number for number in sorted(found.closed) if number not in paid]


def unpaid(found: Facts) -> list[str]:
    """Commitments of honest nodes that did not end as posted. One that came after its round had closed is no work of
    that round: its node was away for longer than its lease."""
    return [
        f"{proof.node}, round {proof.round}: {found.ends[name]}"
        for name, proof in found.proofs.items()
        if found.ends.get(name, "posted") not in ("posted", "out")
    ]


def losses(network: Network) -> dict[int, float]:
    """The held-out loss in nats a token after each round, the median of what verifiers signed."""
    found: dict[int, list[float]] = {}
    for entry in entries_with(network, '"heldOutLoss"'):
        message = entry["message"]
        found.setdefault(int(message["round"]), []).append(int(message["heldOutLoss"]) / 1e9)
    return {number: statistics.median(values) for number, values in sorted(found.items())}


def run(folder: Path, seed: int, rounds: int, nodes: int, present: int, deeds: Sequence[Deeds]) -> dict[str, Any]:
    """One run of so many rounds, and what came of it."""
    with Network(folder, seed, nodes, rounds, CHURN_RULES) as network:
        for name in network.nodes[present:]:
            network.parties[name].kill()
        network.wait("the first round", lambda: facts(network).opened, ROUND_SECONDS)
        played = play(network, rounds, deeds)
        found = facts(network)
        return {
            "rounds": rounds,
            "nodes": present,
            "seconds_a_round": played.usual,
            "lost_rounds": lost_rounds(found),
            "unpaid": unpaid(found),
            "losses": losses(network),
            **verdict(network, found),
        }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-churn-"))
    progress(f"logs: {folder}")
    present = args.nodes - 2
    deeds = plan(args.seed, args.rounds, NODES[: args.nodes], present)
    bodies = {}
    for name, some in (("calm", ()), ("churn", deeds)):
        (folder / name).mkdir()
        bodies[name] = run(folder / name, args.seed, args.rounds, args.nodes, present, some)
    ends = {name: list(body["losses"].values())[-1] for name, body in bodies.items()}
    more = ends["churn"] / ends["calm"] - 1
    write_result("churn", {**bodies, "loss_more": round(more, 4)})
    churned = bodies["churn"]
    good = is_good(churned) and not churned["lost_rounds"] and not churned["unpaid"] and more <= LOSS_BAR
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    shown = {
        "loss": ends,
        "more": f"{100 * more:.2f} %",
        "deeds": 3 * len(deeds),
        "seconds": churned["seconds_a_round"],
    }
    progress(f"{'good' if good else f'NOT good, see {folder}'}: {json.dumps(shown)}")


if __name__ == "__main__":
    main()
