"""Strategies of holders, strangers and the chain."""

from __future__ import annotations

from random import Random

from tests.adversary.sim.noise import NOISE
from tests.adversary.sim.plan import Noise, Plan


def chain_stands(plan: Plan, random: Random) -> None:
    """Nothing becomes final for a while."""
    start = random.randint(3, 30)
    plan.stalls.append((start, start + random.randint(2, 4 * plan.period)))


def strangers(plan: Plan, random: Random) -> None:
    kinds = [random.choice(sorted(NOISE)) for _ in range(random.randint(4, 12))]
    kinds += ["credit", "credit_elsewhere"] if random.random() < 0.3 else []
    plan.noise += [Noise(random.randint(3, 40), kind) for kind in kinds]
    if random.random() < 0.3:
        plan.runs = 2


def holders(plan: Plan, random: Random) -> None:
    keys = ("rounds", "tokens", "weight", "nonsense", "")
    values = ("1", "2", "3", "9" * 5_000, "-1", "1e9", "", "0e-999999999999999999")
    for _ in range(random.randint(1, 4)):
        plan.decisions.append((random.randint(2, 40), random.choice(keys), random.choice(values)))
    plan.decisions.sort(key=lambda decision: decision[0])


def struck_epoch(plan: Plan, random: Random) -> None:
    plan.strikes.append(random.randint(1, 2))
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1


def falling_limit(plan: Plan, random: Random) -> None:
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1
    plan.limits.append((random.randint(3, 10), random.choice((700, 1_500))))
    if random.random() < 0.7:
        plan.limits.append((random.randint(12, 60), random.choice((300, 100, 900))))
