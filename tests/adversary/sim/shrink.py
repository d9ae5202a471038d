"""The minimiser: takes behaviours, rounds, nodes and verifiers away while the same thing still breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, replace
from typing import Any

from tests.adversary.history import History
from tests.adversary.sim.plan import OperatorPlan, Plan
from tests.adversary.sim.strategies import make
from tests.adversary.sim.world import play

Broken = Callable[[History], object]
_LISTS = ("noise", "renters", "decisions", "limits", "strikes", "lapses", "foreign", "exits", "stalls")
_LEAST = {"runs": 1, "rounds": 1, "rounds_per_epoch": 1, "segments": 3, "samples": 1, "panel": 0, "finality": 1}


def smaller(seed: int, broken: Broken, strategy: str | None = None, tries: int = 500) -> Plan:
    """The smallest plan found for which `broken` still says something."""
    plan = make(seed, strategy)
    while tries > 0:
        for candidate in candidates(plan):
            tries -= 1
            if _breaks(candidate, broken):
                plan = candidate
                break
            if tries <= 0:
                return plan
        else:
            return plan
    return plan


def _breaks(plan: Plan, broken: Broken) -> bool:
    """A plan that makes no history at all is none that breaks the same thing."""
    try:
        return bool(broken(play(plan)))
    except (KeyError, IndexError, AssertionError):
        return False


def candidates(plan: Plan) -> Iterator[Plan]:
    """Plans with one thing less, the greatest steps first."""
    yield from _fewer(plan)
    for name in _LISTS:
        whole = getattr(plan, name)
        if whole:
            yield _with(plan, **{name: []})
        for place in range(len(whole) if len(whole) > 1 else 0):
            yield _with(plan, **{name: whole[:place] + whole[place + 1 :]})
    if plan.operator != OperatorPlan():
        yield _with(plan, operator=OperatorPlan())
        for honest in _calmer(plan.operator, OperatorPlan()):
            yield _with(plan, operator=honest)
    for actors in ("nodes", "verifiers"):
        yield from _calmer_actors(plan, actors)


def _fewer(plan: Plan) -> Iterator[Plan]:
    for name, least in _LEAST.items():
        value = getattr(plan, name)
        if value > least:
            yield _with(plan, **{name: least})
            yield _with(plan, **{name: value - 1})
    for place in range(len(plan.nodes) if len(plan.nodes) > 1 else 0):
        yield _with(plan, nodes=plan.nodes[:place] + plan.nodes[place + 1 :])
    for place in range(len(plan.verifiers) if len(plan.verifiers) > 3 else 0):
        fewer = plan.verifiers[:place] + plan.verifiers[place + 1 :]
        yield _with(plan, verifiers=fewer, k=min(plan.k, (len(fewer) + 1) // 2))


def _calmer_actors(plan: Plan, name: str) -> Iterator[Plan]:
    actors = getattr(plan, name)
    for place, actor in enumerate(actors):
        honest = type(actor)(actor.name)
        for calm in (honest, *_calmer(actor, honest)) if actor != honest else ():
            yield _with(plan, **{name: [*actors[:place], calm, *actors[place + 1 :]]})


def _calmer(actor: Any, honest: Any) -> Iterator[Any]:
    for field in fields(actor):
        if getattr(actor, field.name) != getattr(honest, field.name):
            yield replace(actor, **{field.name: getattr(honest, field.name)})


def _with(plan: Plan, **changes: Any) -> Plan:
    changed = copy(plan)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed
