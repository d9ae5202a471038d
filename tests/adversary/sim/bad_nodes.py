"""Strategies of nodes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from contracts.ids import as_address
from tests.adversary.sim.draft import (
    any_skips,
    corrupt,
    node,
    operator,
    spare,
)
from tests.adversary.sim.plan import NEVER, NodePlan, Plan, VerifierPlan


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
    bad = node(plan, random, commit=random.choice(("late", "slow", "never", "after")))
    if random.random() < 0.3:
        plan.rounds = max(3, plan.rounds)
        place = plan.nodes.index(bad)
        plan.nodes[place] = replace(bad, commit="late", in_rounds="first")


def half_commitment(plan: Plan, random: Random) -> None:
    node(plan, random, commit=random.choice(("server", "mirrors", "corrupt", "broken")))
    if random.random() < 0.5:
        corrupt(plan, random, has=random.choice(("lying", "never")))


def comings_and_goings(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((2, 3, 4))
    node(plan, random, leaves=random.randint(1, 2), rejoins=random.random() < 0.5)
    if len(plan.nodes) < 4:
        plan.nodes.append(NodePlan(as_address(f"n{len(plan.nodes)}"), joins=2))


def unbound(plan: Plan, random: Random) -> None:
    """Bound to another start, seed, configuration or number of tokens than the round's."""
    node(plan, random, commit="unbound")


def early_pledge(plan: Plan, random: Random) -> None:
    """Everybody is told which segment is a canary before anybody has spoken."""
    skips, fake = random.choice((("nothing", "none"), ("one", "skipped"), ("one", "skipped")))
    node(plan, random, skips=skips, fake=fake, pledge="early")
    corrupt(plan, random, words="told")


def drift(plan: Plan, random: Random) -> None:
    """Work that is done and yet beyond the limits of some, or of all."""
    plan.exact = False
    node(
        plan, random, drifts=random.choice(("all", "some", "some")), skips=random.choice(("nothing", "nothing", "one"))
    )
    if random.random() < 0.5:
        corrupt(plan, random, words=random.choice(("false", "unserved", "drift", "silent")))


def near_zero(plan: Plan, random: Random) -> None:
    """Starts of numbers so small that no honest verifier gets through a replay in time."""
    heavy, skips = random.choice(("one", "some", "some", "all")), random.choice(("nothing", "one"))
    node(plan, random, heavy=heavy, skips=skips, gives=random.choice(("all", "all", "edge")))
    if random.random() < 0.6:
        bad = corrupt(plan, random, words=random.choice(("true", "false", "silent", "opposite", "unserved")))
        victims = [verifier.name for verifier in plan.verifiers if verifier.name not in bad]
        if random.random() < 0.5:
            corrupt(plan, random, lapses=random.choice(victims))


def split_bench(plan: Plan, random: Random) -> None:
    """Five verifiers, a bench of three: bytes come late, and one lies, so that the rest must come in."""
    plan.k, plan.verifiers = 2, [VerifierPlan(as_address(f"v{place}")) for place in range(5)]
    plan.nodes = [NodePlan(as_address(f"n{place}")) for place in range(random.choice((1, 2)))]
    node(
        plan, random, gives=random.choice(("late", "edge", "half")), skips=random.choice(("nothing", "nothing", "one"))
    )
    corrupt(plan, random, words=random.choice(("false", "opposite", "unserved", "two")))
    if random.random() < 0.3:
        plan.exact = False
        node(plan, random, drifts="some", in_rounds="all")


def lone_reader(plan: Plan, random: Random) -> None:
    """Bytes only for somebody honest who reaches no mirror."""
    node(plan, random, gives="cut", skips=random.choice(("nothing", "nothing", "one")))
    if spare(plan) > 0:
        place = random.choice([place for place, verifier in enumerate(plan.verifiers) if verifier.steady])
        plan.verifiers[place] = replace(plan.verifiers[place], cut=((2, NEVER),))


def few_places(plan: Plan, random: Random) -> None:
    """More nodes than may take part, with different stakes; some commit to nothing."""
    plan.rounds = random.choice((2, 3))
    stakes = (500, 1_000, 2_000, 3_000)
    plan.nodes = [
        NodePlan(as_address(f"n{place}"), stake=random.choice(stakes)) for place in range(random.choice((2, 3, 4)))
    ]
    plan.places = random.randint(1, len(plan.nodes) - 1)
    node(plan, random, commit=random.choice(("now", "never", "late")))
    if random.random() < 0.5:
        plan.nodes.append(NodePlan(as_address(f"n{len(plan.nodes)}"), joins=2, stake=5_000))


def one_stake(plan: Plan, random: Random) -> None:
    """One stake behind work in two runs, and cheats in both."""
    plan.runs, plan.node_stake = 2, 1_000
    node(plan, random, skips=any_skips(random), stake=random.choice((0, 500, 1_000, 1_500)))


def sleeper(plan: Plan, random: Random) -> None:
    """Long honest work until the audit rate falls, and then a cheat that may be spared."""
    plan.nodes, plan.rounds, plan.rounds_per_epoch, plan.runs = [NodePlan(as_address("n0"))], 12, 4, 1
    plan.floor, plan.segments, plan.samples = 200_000, 3, 1
    if random.random() < 0.3:
        operator(plan, blocks="rare")
    stake = random.choice((1_000, 5_000))
    plan.nodes[0] = replace(plan.nodes[0], skips=any_skips(random), in_rounds="last", stake=stake)
