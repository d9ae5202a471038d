"""Strategies of holders, strangers and the chain."""

from __future__ import annotations

from random import Random

from contracts.ids import as_address
from tests.adversary.sim.draft import node
from tests.adversary.sim.noise import NOISE
from tests.adversary.sim.plan import NodePlan, Noise, Plan


def chain_stands(plan: Plan, random: Random) -> None:
    """Nothing becomes final for a while."""
    start = random.randint(3, 30)
    plan.stalls.append((start, start + random.randint(2, 4 * plan.period)))


def strangers(plan: Plan, random: Random) -> None:
    kinds = [random.choice(sorted(NOISE)) for _ in range(random.randint(4, 12))]
    kinds += ["credit", "credit_elsewhere"] if random.random() < 0.3 else []
    plan.noise += [Noise(random.randint(3, 40), kind) for kind in kinds]
    if random.random() < 0.2:
        plan.noise.append(Noise(random.randint(60, 140), "credit"))
    if random.random() < 0.3:
        plan.runs = 2
    elif random.random() < 0.5:
        plan.places = len(plan.nodes) + 1


def last_vote(plan: Plan, random: Random) -> None:
    """Holders end a run that waits for nodes; what was credited meanwhile is paid."""
    plan.rounds, plan.rounds_per_epoch, plan.nodes = 3, 1, [NodePlan(as_address("n0"), leaves=random.randint(1, 2))]
    plan.decisions.append((random.randint(40, 80), "rounds", random.choice(("1", "2"))))
    plan.noise += [Noise(random.randint(20, 60), "credit") for _ in range(3)]


def crowd(plan: Plan, random: Random) -> None:
    """k strangers say the same."""
    kinds = sorted(kind for kind in NOISE if kind.startswith("crowd_"))
    plan.noise += [Noise(random.randint(3, 40), random.choice(kinds)) for _ in range(random.randint(6, 12))]


def holders(plan: Plan, random: Random) -> None:
    keys = ("rounds", "tokens", "weight", "nonsense", "")
    values = ("1", "2", "3", "9" * 5_000, "-1", "1e9", "", "0e-999999999999999999")
    for _ in range(random.randint(1, 4)):
        plan.decisions.append((random.randint(2, 40), random.choice(keys), random.choice(values)))
    plan.decisions.sort(key=lambda decision: decision[0])


def struck_epoch(plan: Plan, random: Random) -> None:
    plan.strikes.append(random.randint(1, 2))
    plan.root_periods = random.choice((12, 12, 1, 2))
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1


def lapsed_dispute(plan: Plan, random: Random) -> None:
    """Bonds and an idle vote hold up an epoch; now and then holders strike it down before, or after."""
    epoch, first = random.randint(1, 2), random.choice((0, 0, 1))
    plan.lapses += [(epoch, first + place) for place in range(random.randint(1, 3))]
    if first or random.random() < 0.2:
        plan.strikes.append(epoch)
    if random.random() < 0.3:
        plan.limits.append((random.randint(20, 80), random.choice((300, 900))))
    plan.root_periods = random.choice((12, 12, 1, 2))
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1


def seized_pay(plan: Plan, random: Random) -> None:
    """A limit of nothing while epochs close, raised again when others work; or a root struck down by a friend's
    challenge. Who earned it leaves, and somebody else comes."""
    plan.rounds, plan.rounds_per_epoch = random.choice((2, 3)), 1
    node(plan, random, leaves=1)
    plan.nodes.append(NodePlan(as_address(f"n{len(plan.nodes)}"), joins=2))
    if random.random() < 0.3:
        plan.strikes.append(1)
        return
    plan.limits.append((random.randint(2, 10), 0))
    plan.limits.append((random.randint(30, 110), random.choice((700, 5_000, 5_000))))


def falling_limit(plan: Plan, random: Random) -> None:
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1
    plan.limits.append((random.randint(3, 10), random.choice((700, 1_500))))
    if random.random() < 0.7:
        plan.limits.append((random.randint(12, 60), random.choice((300, 100, 900))))
