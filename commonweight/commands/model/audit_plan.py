"""`commonweight audit-plan`: detection and cost of an audit rate, and the stake that a run needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isfinite
from typing import Annotated

import typer
from rich import box
from rich.console import RenderableType
from rich.table import Table

from commonweight.terminal.console import console, tell
from contracts.protocol.audit_rate import MILLION, AuditPolicy
from verifier.planning.audit_plan import AuditPlan, InvalidAuditPlan

PERCENTS = (10, 50, 100)


@dataclass(frozen=True)
class CheatFigures:
    """The odds of a node that fakes so many segments of each round."""

    faked_segments: int
    seen_by_all: float
    seen_by_quorum: float
    detected_per_round: float
    detected_over_rounds: float
    needs_stake: float


@dataclass(frozen=True)
class VerificationCost:
    """Shares of the cost of training."""

    always_audited: float
    mean: float
    at_floor: float


@dataclass(frozen=True)
class PlanFigures:
    """All figures of a plan: probabilities and shares between 0 and 1, amounts in the plan's unit."""

    segments: int
    rounds: int
    verifiers: int
    quorum: int
    reward: float
    cost: float
    floor: float
    cheats: tuple[CheatFigures, ...]
    stake: float
    least_stake: float
    least_deviation_stake: float
    worst_faked_segments: int
    mean_rate: float
    verification_cost: VerificationCost


def audit_plan(
    reward: Annotated[float, typer.Option(help="Highest pay of a node for one round, in any unit of value.")] = 1.25,
    step_cost: Annotated[float, typer.Option(help="Cost of one inner step to a node, in the same unit.")] = 0.002,
    steps: Annotated[int, typer.Option(help="Number of inner steps in a round.")] = 500,
    segment: Annotated[int, typer.Option(help="Number of inner steps in a segment; must divide --steps.")] = 10,
    samples: Annotated[
        int, typer.Option(help="Number of segments that each verifier replays, including the common segment.")
    ] = 2,
    verifiers: Annotated[int, typer.Option(help="Number of verifiers that read an audited proof.")] = 3,
    quorum: Annotated[
        int,
        typer.Option(
            help="Number of accepting verdicts that post a proof. The planned stake relies on no more verifiers."
        ),
    ] = 2,
    floor: Annotated[float, typer.Option(help="Audit rate of a node with a long clean record.")] = 0.05,
    streak: Annotated[
        int, typer.Option(help="Number of audited and accepted proofs that halve a node's audit rate.")
    ] = 8,
    rounds: Annotated[int, typer.Option(help="Number of rounds to look ahead.", min=1, max=10_000)] = 1_000,
) -> None:
    """Plan the audit of a run: chance of catching a cheat, least stake of a node, cost of verification.

    All first proofs of a node are audited. A clean record lowers its audit rate to the floor, and one voided proof
    raises the rate to 1 again. With the planned stake every cheat loses on average, after any record.

    Example: commonweight audit-plan --reward 2 --step-cost 0.003 --floor 0.2 --samples 3
    """
    pay = _exact("reward", reward)
    price = _exact("step-cost", step_cost)
    least = _exact("floor", floor)
    policy = AuditPolicy(round(least * MILLION), streak)
    plan = AuditPlan(pay, price, steps, segment, samples, verifiers, quorum, policy=policy)
    figures = figures_of(plan, rounds)
    tell(asdict(figures), _lines(figures))


def figures_of(plan: AuditPlan, rounds: int) -> PlanFigures:
    """The figures for so many rounds from a node's first."""
    mean = plan.mean_rate(rounds)
    faked = dict.fromkeys([1, *(-(-plan.segments * percent // 100) for percent in PERCENTS)])
    return PlanFigures(
        segments=plan.segments,
        rounds=rounds,
        verifiers=plan.verifiers,
        quorum=plan.quorum,
        reward=float(plan.reward),
        cost=float(plan.cost),
        floor=float(plan.floor),
        cheats=tuple(_cheat(plan, count, rounds) for count in faked),
        stake=float(plan.stake),
        least_stake=float(plan.least_stake),
        least_deviation_stake=float(plan.least_deviation_stake),
        worst_faked_segments=plan.worst,
        mean_rate=mean,
        verification_cost=VerificationCost(
            always_audited=plan.verification_cost(1.0),
            mean=plan.verification_cost(mean),
            at_floor=plan.verification_cost(float(plan.floor)),
        ),
    )


def _exact(name: str, value: float) -> Fraction:
    """The decimal number that was typed. Raises InvalidAuditPlan for nan and infinity."""
    if not isfinite(value):
        raise InvalidAuditPlan(f"{name} must be a finite number, not {value}")
    return Fraction(str(value))


def _cheat(plan: AuditPlan, faked: int, rounds: int) -> CheatFigures:
    return CheatFigures(
        faked_segments=faked,
        seen_by_all=float(plan.seen(faked, plan.verifiers)),
        seen_by_quorum=float(plan.seen(faked)),
        detected_per_round=float(plan.detection(faked, plan.floor)),
        detected_over_rounds=float(plan.detection(faked, plan.floor, rounds)),
        needs_stake=max(0.0, float(plan.needed(faked))),
    )


def _lines(figures: PlanFigures) -> Iterator[RenderableType]:
    yield _table(figures)
    cost = figures.verification_cost
    yield (
        f"recommended stake       {_value(figures.stake)}"
        f"   (at {_value(figures.least_stake)} the best cheat breaks even)"
    )
    yield f"against deviating only  {_value(figures.least_deviation_stake)}   (above it no cheat beats honest work)"
    yield f"honest round            pays {_value(figures.reward)} for work that costs {_value(figures.cost)}"
    yield f"mean audit rate         {figures.mean_rate:.1%} over the first {figures.rounds} rounds of a node"
    yield (
        f"verification cost       {cost.mean:.1%} of training over those rounds, {cost.at_floor:.1%} at the "
        f"floor, {cost.always_audited:.1%} if every proof is audited"
    )


def _table(figures: PlanFigures) -> Table:
    rounds = figures.rounds
    quorum = figures.quorum
    everyone = figures.verifiers
    fancy = console.is_terminal
    table = Table(
        box=box.ROUNDED if fancy else None, title="Detection of a cheat", title_justify="left", pad_edge=fancy
    )
    table.add_column("faked segments", no_wrap=True)
    for name in (f"seen by {everyone}", f"seen by {quorum}", "caught a round", f"in {rounds} rounds", "needs stake"):
        table.add_column(name, justify="right")
    for cheat in figures.cheats:
        count = cheat.faked_segments
        share = f"{count} of {figures.segments} ({count / figures.segments:.0%})"
        seen = (cheat.seen_by_all, cheat.seen_by_quorum)
        chances = (*seen, cheat.detected_per_round, cheat.detected_over_rounds)
        table.add_row(share, *(f"{chance:.2%}" for chance in chances), _value(cheat.needs_stake))
    table.caption = (
        f"seen: by the samples of that many verifiers, once a proof is audited; caught: by {quorum}, the quorum, "
        f"at the floor rate of {figures.floor:.1%}"
    )
    table.caption_justify = "left"
    return table


def _value(value: float) -> str:
    """A value in the plan's own unit, which is no currency."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
