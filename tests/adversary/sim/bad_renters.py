"""Strategies of renters: what their machines cost, billed honestly or not (ADR 61).

Four nodes or five, each on a machine of its own and each paid 200 units an epoch at least, of which one is worth a
millionth of a dollar: honest bills are of about 300.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from contracts.ids import Address, as_address
from tests.adversary.sim.functions import MAINTAINER
from tests.adversary.sim.plan import NodePlan, Plan, RenterPlan


def rented(plan: Plan, random: Random) -> None:
    """Everybody bills what its machine cost: capital, or paybacks."""
    nodes = [as_address(f"n{place}") for place in range(random.choice((4, 4, 5)))]
    plan.nodes = [NodePlan(name) for name in nodes]
    plan.rounds, plan.rounds_per_epoch, plan.runs = random.choice((3, 4)), 1, 1
    plan.seconds, plan.floor = random.choice((300, 600)), 200_000
    plan.capital = (random.choice((1, 1, 1, 0)), 10_000, 10_000)
    plan.renters = [
        RenterPlan(as_address(f"renter-{node}"), node, amounts=_amounts(random), payback=random.random() < 0.3)
        for node in nodes
    ]


def _amounts(random: Random) -> tuple[int, ...]:
    return tuple(random.randint(230, 400) for _ in range(4))


def _one(plan: Plan, random: Random, **how: object) -> RenterPlan:
    """One renter departs."""
    place = random.randrange(len(plan.renters))
    plan.renters[place] = replace(plan.renters[place], **how)  # type: ignore[arg-type]
    return plan.renters[place]


def _friend(plan: Plan, random: Random) -> Address:
    return random.choice([node.name for node in plan.nodes])


def rented_twice(plan: Plan, random: Random) -> None:
    """An hour is billed again, and a machine's hour with another's key; in the run, or in another."""
    rented(plan, random)
    for _ in range(random.randint(1, 3)):
        _one(plan, random, does="twice", friend=_friend(plan, random))
    plan.capital = (1, 10_000, 10_000)


def rented_foreign(plan: Plan, random: Random) -> None:
    """Others' keys, others' accounts, missing signatures; or too early."""
    rented(plan, random)
    plan.capital = (1, 10_000, 10_000)
    for _ in range(random.randint(1, 3)):
        _one(plan, random, does=random.choice(("foreign", "foreign", "early")), friend=_friend(plan, random))
    if random.random() < 0.3:
        _one(plan, random, name=MAINTAINER)


def rented_dear(plan: Plan, random: Random) -> None:
    """Absurd bills, one renter of several machines, dear hours beside overpaid ones, a small cap or budget."""
    rented(plan, random)
    plan.capital = (1, *random.choice(((10_000, 10_000), (150, 250), (400, 90))))
    for _ in range(random.randint(1, 3)):
        amounts = random.choice(((9_000,), (700, 20, 900, 20), (20, 900), (240, 390), (1,)))
        _one(plan, random, amounts=amounts, does=random.choice(("honest", "late")))
    if random.random() < 0.4:
        for _ in range(2):
            _one(plan, random, name=as_address("whale"), amounts=(5_000,))
