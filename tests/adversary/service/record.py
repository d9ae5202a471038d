"""What a simulated server was given, in its order, and what it made of it."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Fact
from tests.adversary.history import History
from tests.adversary.sim import Plan, make
from tests.adversary.sim.world import World


@dataclass
class Step:
    """One fact: entered with all that followed by the rules, or refused with a code."""

    fact: Fact
    derived: tuple[Derived, ...] = ()
    code: str = ""


def sayable(seed: int, strategy: str | None) -> Plan:
    """The plan of a seed, but for what no manifest says: one sample a seat, and no invoices,
    which tests/ledger/test_invoices.py says to a service."""
    plan = make(seed, strategy)
    plan.renters, plan.capital, plan.seconds = [], None, 12
    plan.samples = max(2, plan.samples)
    return plan


def recorded(plan: Plan) -> tuple[History, list[Step]]:
    """The history of a plan, with its steps: those are of the machine, whatever the operator wrote into its log."""
    world, steps = World(plan), list[Step]()
    apply, write = world.operator.apply, world.operator._write

    def entering(fact: Fact, harmless: bool = False) -> None:
        step = Step(fact)
        steps.append(step)
        try:
            apply(fact, harmless)
        except Refused as error:
            step.code = error.code
            raise

    def writing(derived: list[Derived]) -> None:
        steps[-1].derived = tuple(derived)
        write(derived)

    world.operator.apply = entering  # type: ignore[method-assign]
    world.operator._write = writing  # type: ignore[method-assign]
    return world.run(), steps
