"""`python -m benchmarks.economics`: does cheating pay, and does sampling detect what the formula says?

Plays cheats against the real draw and the real audit rate over a grid of fraction x frequency x record x floor x sample
size, scores each at the plan's stake, at 0.9 and at half of it, and counts detections. It fails (exit status 1) unless

1. at the plan's stake the largest profit and the largest gain over honest work are below 0, measured and exact,
   and the best plan of all (dynamic programming) gains nothing;
2. at half of that stake some cheat profits, so that 1. could have failed; the same at 0.9;
3. each measured detection agrees with the exact one within the 99.9 % binomial interval.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from contracts.protocol.audit_rate import AuditPolicy
from verifier.planning.audit_plan import AuditPlan
from verifier.planning.audit_simulation import Strategy, best_gain, build_record, measure_detection, play

RESULTS = Path(__file__).parent / "results" / "economics.json"
FLOORS_PPM, SAMPLES, SHARES, FREQUENCIES = (200_000, 50_000), (2, 3, 5), (0.1, 0.3, 0.5, 1.0), (1.0, 0.25)
STAKES = {"plan": Fraction(1), "nine_tenths": Fraction(9, 10), "half": Fraction(1, 2)}
FIGURE_SHARES, FIGURE_SAMPLES, FIGURE_READERS = (0.05, 0.1, 0.2, 0.5, 1.0), (1, 2, 3, 5), (1, 3)
HORIZON, ROUNDS_OF_BEST_PLAN, Z_999 = 20, 600, 3.29


def plan_of(floor_ppm: int, samples: int, segment: int = 4) -> AuditPlan:
    """R = 1.25 C, 40 steps, three verifiers with a quorum of two."""
    policy = AuditPolicy(floor_ppm)
    return AuditPlan(Fraction(5, 4), Fraction(1, 40), 40, segment, samples=samples, policy=policy)


def strategies(segments: int) -> Iterator[Strategy]:
    """Every cheat of the grid."""
    for share, frequency, record in product(SHARES, FREQUENCIES, (True, False)):
        yield Strategy(round(share * segments), frequency, record)
    yield from (Strategy(round(share * segments), record=True, leaves=True) for share in SHARES)


def rounds_needed(plan: AuditPlan, faked: int, most: int) -> int:
    """Faked rounds after which the mean stands three standard errors below 0, fixed before playing."""
    caught = float(plan.floor * plan.seen(faked))
    spread = caught * (1 - caught) * float(plan.reward + plan.stake) ** 2
    return min(most, max(2000, ceil(9 * spread / float(plan.profit(faked, plan.stake, plan.floor)) ** 2)))


def point(plan: AuditPlan, strategy: Strategy, most: int, rng: np.random.Generator) -> dict[str, Any]:
    """One cell of the grid: profit and gain of a faked round at each stake, and the exact profit at the floor."""
    wanted = rounds_needed(plan, strategy.faked, most) if strategy.record else 2000
    plays = play(plan, strategy, wanted, HORIZON, rng)
    cell: dict[str, Any] = {
        "floor": float(plan.floor),
        "samples": plan.samples,
        "faked_share": strategy.faked / plan.segments,
        "frequency": strategy.frequency,
        "record_first": strategy.record,
        "leaves": strategy.leaves,
        "faked_rounds": int(plays.faked_rounds.sum()),
        "nodes": len(plays.caught),
    }
    for name, share in STAKES.items():
        profit, gain = plays.profit(share * plan.stake), plays.gain(share * plan.stake)
        cell[name] = {"profit": profit.mean, "gain": gain.mean, "ci95": profit.half_width}
        if strategy.record:
            cell[name]["exact_profit"] = float(plan.profit(strategy.faked, share * plan.stake, plan.floor))
    return cell


def economics(most: int, rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All cells of the grid, and one line for each plan."""
    cells, plans = [], []
    for floor_ppm, samples in product(FLOORS_PPM, SAMPLES):
        plan = plan_of(floor_ppm, samples)
        cells += [point(plan, strategy, most, rng) for strategy in strategies(plan.segments)]
        plans.append(_line(plan, rng))
        typer.echo(f"floor {float(plan.floor):.2f}, samples {samples}: stake {plans[-1]['stake']:.3f}", err=True)
    return cells, plans


def _line(plan: AuditPlan, rng: np.random.Generator) -> dict[str, Any]:
    best = {name: best_gain(plan, share * plan.stake, ROUNDS_OF_BEST_PLAN) for name, share in STAKES.items()}
    return {
        "floor": float(plan.floor),
        "samples": plan.samples,
        "stake": float(plan.stake),
        "least_stake": float(plan.least_stake),
        "least_deviation_stake": float(plan.least_deviation_stake),
        "best_plan_gain": best,
        "honest_rounds_to_floor": build_record(plan, rng)[1],
        "mean_rate_200_rounds": plan.mean_rate(200),
        "cost_at_floor": plan.verification_cost(float(plan.floor)),
        "cost_200_rounds": plan.verification_cost(plan.mean_rate(200)),
        "cost_always": plan.verification_cost(1.0),
    }


def detections(audits: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Detection of an audited proof against fraction faked and sample size, 20 segments."""
    found = []
    for samples, readers, share in product(FIGURE_SAMPLES, FIGURE_READERS, FIGURE_SHARES):
        plan = plan_of(200_000, samples, segment=2)
        measured = measure_detection(plan, round(share * plan.segments), readers, audits, rng)
        found.append(
            {
                "samples": samples,
                "verifiers": readers,
                "faked_share": share,
                "audits": audits,
                "measured": measured.hits / audits,
                "exact": measured.exact,
                "interval_999": measured.interval(Z_999),
                "agrees": measured.agrees(Z_999),
            }
        )
    return found


def verdict(cells: list[dict[str, Any]], plans: list[dict[str, Any]], figure: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers that decide, and `passed`."""
    most = {name: max(cell[name]["profit"] for cell in cells) for name in STAKES}
    exact = {name: max(cell[name]["exact_profit"] for cell in cells if cell["record_first"]) for name in STAKES}
    gain = {name: max(cell[name]["gain"] for cell in cells) for name in STAKES}
    best = {name: max(line["best_plan_gain"][name] for line in plans) for name in STAKES}
    agree = sum(line["agrees"] for line in figure)
    below = most["plan"] < 0 and exact["plan"] < 0 and gain["plan"] < 0 and best["plan"] < 1e-9
    above = all(value["half"] > 0 and value["nine_tenths"] > 0 for value in (most, exact))
    return {
        "max_profit": most,
        "max_exact_profit": exact,
        "max_gain": gain,
        "max_best_plan_gain": best,
        "surely_below_0": sum(cell["plan"]["profit"] + cell["plan"]["ci95"] < 0 for cell in cells),
        "cells": len(cells),
        "detections_that_agree": agree,
        "detections": len(figure),
        "passed": below and above and best["half"] > 0 and agree == len(figure),
    }


def main(
    most: Annotated[int, typer.Option(help="Most faked rounds that one cell plays.")] = 100_000,
    audits: Annotated[int, typer.Option(help="Audits for one point of the detection figure.")] = 2000,
    seed: int = 1,
    out: Annotated[Path, typer.Option(help="Where to write the results.")] = RESULTS,
) -> None:
    """Play cheats against the real rules and write what they earned (some minutes)."""
    rng, begun = np.random.default_rng(seed), time.perf_counter()
    figure = detections(audits, rng)
    cells, plans = economics(most, rng)
    summary = verdict(cells, plans, figure)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    report = {
        "command": "python -m benchmarks.economics",
        "seed": seed,
        "seconds": round(time.perf_counter() - begun),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine,
        "unit": "cost of an honest round",
        "summary": summary,
        "plans": plans,
        "detection": figure,
        "cells": cells,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    typer.echo(json.dumps(summary, indent=1))
    sys.exit(0 if summary["passed"] else 1)


if __name__ == "__main__":
    typer.run(main)
