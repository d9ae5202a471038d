"""A history as a short story: what is not honest in its plan, and its entries, one a line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from contracts.protocol.judge.facts import SegmentWord
from tests.adversary.history import History
from tests.adversary.sim.plan import NodePlan, Plan, VerifierPlan, told

_LONG = 28
_SIZES = ("k", "runs", "rounds", "rounds_per_epoch", "segments", "samples", "panel", "period", "finality", "window")


def story(plan: Plan, history: History) -> str:
    """The plan's departures, the truth, and the log."""
    sizes = ", ".join(f"{name} {getattr(plan, name)}" for name in _SIZES)
    lines = [f"seed {plan.seed} {plan.strategy}: {sizes}", *_people(plan)]
    for work in history.work.values():
        truth = f"false {sorted(work.false)}, pledge {work.fake}, in time {work.in_time}, serves {work.serves}"
        lines.append(f"  {work.proof}: {truth}, shown {sorted(work.shown)}")
    lines += [f"  {found}" for found in history.deviations]
    for index, (tick, entry) in enumerate(zip(history.ticks, history.entries, strict=True)):
        lines.append(f"{index:4} t{tick:<4}{line(entry)}")
    return "\n".join(lines)


def line(entry: Any) -> str:
    """An entry in one line."""
    values = (f"{f.name} {_short(getattr(entry, f.name))}" for f in fields(entry) if getattr(entry, f.name) != "")
    return f"{type(entry).__name__}: {', '.join(values)}"


def _people(plan: Plan) -> list[str]:
    actors: list[NodePlan | VerifierPlan] = [*plan.nodes, *plan.verifiers]
    named: list[tuple[str, str]] = [(actor.name, told(actor)) for actor in actors]
    named += [("operator", told(plan.operator)), ("noise", ", ".join(f"{n.kind}@{n.tick}" for n in plan.noise))]
    others = (
        ("renters", plan.renters),
        ("decisions", plan.decisions),
        ("limits", plan.limits),
        ("strikes", plan.strikes),
        ("lapses", plan.lapses),
        ("stalls", plan.stalls),
    )
    named += [(name, _short(value) if value else "") for name, value in others]
    return [f"  {name}: {what or 'honest'}" for name, what in named if what or (name[0] in "nv" and name != "noise")]


def _short(value: Any) -> str:
    if isinstance(value, SegmentWord):
        return f"{value.segment}={value.word}" + (f"({value.reason})" if value.reason else "")
    if isinstance(value, tuple):
        return "[" + " ".join(_short(part) for part in value) + "]"
    if hasattr(value, "what"):
        return f"{value.what} of {value.party} {value.proof or f'{value.run}/{value.round}'}"
    if hasattr(value, "__slots__") and not isinstance(value, str):
        return line(value)
    text = str(value)
    return text if len(text) <= _LONG else text[:_LONG] + "…"
