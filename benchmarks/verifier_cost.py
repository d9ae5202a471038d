"""What all verifiers compute, in percent of the training that they check, and the detection that this buys.

    python -m benchmarks.verifier_cost      writes benchmarks/results/verifier_cost.json

The plan (verifier/planning/audit_plan.py) counts in inner steps. What a replayed segment and an end check really cost,
in the bare steps of the same machine, is measured by benchmarks.throughput: run that first, or its numbers are made
here.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from benchmarks.economics import plan_of
from benchmarks.record import RESULTS, progress, write_result
from benchmarks.throughput import SEGMENTS_OF_ROUND, measure
from contracts.protocol.run_config import RunConfig
from verifier.planning.audit_plan import AuditPlan

FAKED_SHARES = (0.1, 0.2, 0.5, 1.0)
ROUNDS, FLOOR_PPM = 1_000, 50_000


def cost_percent(plan: AuditPlan, measured: dict[str, Any], rate: float) -> float:
    """All verifiers at a mean audit rate: own and common segments at what they cost, and the end check."""
    common, own = (
        plan.segment * 100 / float(measured[kind]["percent of bare"]) for kind in ("common segment", "own segment")
    )
    steps = plan.common * common + (plan.samples - plan.common) * own + float(measured["end check in steps"])
    return 100 * rate * plan.verifiers * steps / plan.steps


def bought(plan: AuditPlan, measured: dict[str, Any]) -> dict[str, Any]:
    """Cost at the rates of an old node, of the first rounds and of an audit of everything, with the detection."""
    floor = float(plan.floor)
    rates = {"floor": floor, f"first {ROUNDS} rounds": plan.mean_rate(ROUNDS), "every proof": 1.0}
    return {
        "samples": plan.samples,
        "verifiers": plan.verifiers,
        "quorum": plan.quorum,
        "segments": plan.segments,
        "stake in rounds' cost": round(float(plan.stake), 3),
        "audit rate": {name: round(rate, 4) for name, rate in rates.items()},
        "cost percent": {name: round(cost_percent(plan, measured, rate), 2) for name, rate in rates.items()},
        "cost percent by the plan": {n: round(100 * plan.verification_cost(r), 2) for n, r in rates.items()},
        "detection": [_detection(plan, share) for share in FAKED_SHARES],
    }


def _detection(plan: AuditPlan, share: float) -> dict[str, float]:
    faked, floor = max(1, round(share * plan.segments)), plan.floor
    return {
        "faked share": share,
        "of an audited proof": round(float(plan.detection(faked, Fraction(1))), 4),
        "of a round at the floor": round(float(plan.detection(faked, floor)), 4),
        "within 20 rounds at the floor": round(float(plan.detection(faked, floor, 20)), 4),
    }


def segment_cost(segments: int, config: RunConfig) -> dict[str, Any]:
    """benchmarks.throughput at this segment length: its result where it was run, else measured now."""
    file, name = RESULTS / "throughput.json", f"k = {config.segment}"
    if file.exists():
        return dict(json.loads(file.read_text())[name])
    return measure(replace(config, steps=SEGMENTS_OF_ROUND * config.segment), segments)


def main() -> None:
    """The default plan, and more samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=10, help="segments timed, if benchmarks.throughput was not run")
    measured = segment_cost(parser.parse_args().segments, RunConfig(steps=40, segment=4))
    plans = {f"{samples} samples": bought(plan_of(FLOOR_PPM, samples), measured) for samples in (2, 3, 5)}
    for name, plan in plans.items():
        progress(f"{name}: {plan['cost percent']}")
    write_result("verifier_cost", {"measured": measured, "plans": plans})
    print(json.dumps(plans["2 samples"], indent=1))


if __name__ == "__main__":
    main()
