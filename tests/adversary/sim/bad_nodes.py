"""Strategies of nodes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.adversary.sim.draft import (
    any_skips,
    corrupt,
    node,
)
from tests.adversary.sim.plan import NodePlan, Plan


def skip(plan: Plan, random: Random) -> None:
    node(plan, random, skips=any_skips(random))


def skip_and_withhold(plan: Plan, random: Random) -> None:
    opens = random.choice(("nothing", "true", "second", "partly", "edge"))
    node(plan, random, skips=any_skips(random), opens=opens, pledge=random.choice(("open", "never", "second")))


def skip_and_starve(plan: Plan, random: Random) -> None:
    gives = random.choice(("nobody", "corrupt", "true", "late", "half", "edge"))
    node(plan, random, skips=any_skips(random), gives=gives)
    corrupt(plan, random, words="true", serves=False)


def slow_bytes(plan: Plan, random: Random) -> None:
    node(plan, random, gives=random.choice(("late", "edge", "half")))


def helped_cheat(plan: Plan, random: Random) -> None:
    bad = node(plan, random, skips=any_skips(random))
    corrupt(plan, random, words="true", about=bad.name, secret=random.choice(("honest", "suits")), serves=False)


def late_openings(plan: Plan, random: Random) -> None:
    node(plan, random, opens=random.choice(("second", "edge", "nothing", "partly")))


def double_proof(plan: Plan, random: Random) -> None:
    node(plan, random, twice=True, skips=random.choice(("nothing", "one", "all")))
    if random.random() < 0.5:
        corrupt(plan, random, has="lying", words="true", serves=False)


def canary(plan: Plan, random: Random) -> None:
    node(plan, random, skips=random.choice(("one", "one", "half")), fake="skipped")


def canary_flood(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((3, 4))
    node(plan, random, skips="one", fake="skipped", in_rounds="all")


def false_pledge(plan: Plan, random: Random) -> None:
    node(plan, random, fake="done", skips=random.choice(("nothing", "one", "half")))


def withheld_pledge(plan: Plan, random: Random) -> None:
    pledge = random.choice(("never", "second", "wrong"))
    node(plan, random, pledge=pledge, skips=random.choice(("nothing", "one")), fake=random.choice(("none", "skipped")))


def late_commitment(plan: Plan, random: Random) -> None:
    node(plan, random, commit=random.choice(("late", "slow", "never")))


def half_commitment(plan: Plan, random: Random) -> None:
    node(plan, random, commit=random.choice(("server", "mirrors", "corrupt", "broken")))
    if random.random() < 0.5:
        corrupt(plan, random, has=random.choice(("lying", "never")))


def comings_and_goings(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((2, 3, 4))
    node(plan, random, leaves=random.randint(1, 2), rejoins=random.random() < 0.5)
    if len(plan.nodes) < 4:
        plan.nodes.append(NodePlan(f"n{len(plan.nodes)}", joins=2))


def one_stake(plan: Plan, random: Random) -> None:
    """One stake behind work in two runs, and cheats in both."""
    plan.runs, plan.node_stake = 2, 1_000
    node(plan, random, skips=any_skips(random), stake=random.choice((0, 500, 1_000, 1_500)))


def sleeper(plan: Plan, random: Random) -> None:
    """Long honest work until the audit rate falls, and then a cheat that may be spared."""
    plan.nodes, plan.rounds, plan.rounds_per_epoch, plan.runs = [NodePlan("n0")], 12, 4, 1
    plan.floor, plan.segments, plan.samples = 200_000, 3, 1
    plan.nodes[0] = replace(plan.nodes[0], skips=any_skips(random), in_rounds="last")
