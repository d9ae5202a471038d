"""Drafting a plan: an honest deployment of some size, and the hands that bend it within the premise."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from contracts.ids import Address, as_address
from tests.adversary.sim.plan import NEVER, NodePlan, Plan, VerifierPlan

_SIZES = ((3, 2),) * 20 + ((4, 2), (4, 2), (5, 3), (5, 3), (5, 2), (7, 4))


def base(seed: int, random: Random) -> Plan:
    """An honest deployment of some size."""
    n, k = random.choice(_SIZES)
    plan = Plan(seed, "honest", k)
    plan.verifiers = [
        VerifierPlan(as_address(f"v{place}"), lag=some_lag(random), stake=some_stake(random)) for place in range(n)
    ]
    plan.nodes = [NodePlan(as_address(f"n{place}")) for place in range(random.choice((1, 1, 1, 1, 2, 2, 2, 2, 3, 4)))]
    plan.rounds = random.choice((1,) * 8 + (2, 2, 2, 3, 4))
    plan.rounds_per_epoch = random.choice((1, 1, 2))
    plan.runs = 2 if random.random() < 0.05 else 1
    plan.segments, plan.samples = random.choice((3, 4, 4, 5, 6, 8)), random.choice((1, 2, 2, 3))
    plan.panel = random.choice((0, k, k, random.randint(k, n)))
    plan.floor = random.choice((1_000_000, 200_000))
    plan.node_stake = random.choice((1_000, 1_000, 1_000, 0))
    plan.exact = random.random() < 0.85
    plan.period, plan.finality = random.choice((4, 5, 5, 6)), random.choice((1, 1, 2))
    plan.window = random.choice((3, 2 * plan.period + 6))
    return plan


def some_lag(random: Random) -> int:
    return random.choice((0,) * 7 + (1, 1, 1))


def some_stake(random: Random) -> int:
    return random.choice((100, 200, 300))


def node(plan: Plan, random: Random, **how: object) -> NodePlan:
    """One node more departs."""
    place = random.randrange(len(plan.nodes))
    how.setdefault("in_rounds", random.choice(("all", "all", "all", "first", "later")))
    plan.nodes[place] = replace(plan.nodes[place], **how)  # type: ignore[arg-type]
    return plan.nodes[place]


def corrupt(plan: Plan, random: Random, **how: object) -> list[str]:
    """Up to k - 1 verifiers in all are corrupt, and do this together."""
    known = [place for place, verifier in enumerate(plan.verifiers) if verifier.corrupt]
    free = [place for place, v in enumerate(plan.verifiers) if not v.corrupt and not v.away and not v.cut]
    room = spare(plan)
    if not known and room > 0:
        known = random.sample(free, random.randint(1, min(room, plan.k - 1)))
    for place in known:
        plan.verifiers[place] = replace(plan.verifiers[place], corrupt=True, lag=0, **how)  # type: ignore[arg-type]
    return [plan.verifiers[place].name for place in known]


def spare(plan: Plan) -> int:
    """How many more may be corrupt or away before the premise ends."""
    n, k = len(plan.verifiers), plan.k
    needed = k if n <= 2 * k - 1 else n - k + 1
    return sum(verifier.steady for verifier in plan.verifiers) - needed


def absent(plan: Plan, random: Random, field: str = "away", last: bool = False) -> None:
    """Somebody honest is away, or cut off, for some time or for good."""
    steady = [place for place, verifier in enumerate(plan.verifiers) if verifier.steady]
    if spare(plan) < 1:
        return
    place, start = random.choice(steady), random.randint(2, 25)
    end = NEVER if last or random.random() < 0.3 else start + random.randint(2, 5 * plan.period)
    changes: dict[str, Any] = {field: ((start, end),)}
    plan.verifiers[place] = replace(plan.verifiers[place], **changes)


def operator(plan: Plan, **how: object) -> None:
    """The operator departs."""
    plan.operator = replace(plan.operator, **how)  # type: ignore[arg-type]


def somebody(plan: Plan, random: Random, kind: str) -> Address:
    nodes, verifiers = plan.nodes, [v for v in plan.verifiers if not v.corrupt]
    return random.choice([p.name for p in (nodes if kind == "node" else verifiers)])


def any_skips(random: Random) -> str:
    return random.choice(("one", "one", "first", "last", "half", "most", "all"))
