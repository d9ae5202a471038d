"""The measured cost is the plan's where replaying costs exactly the steps, and more where it costs more."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.economics import plan_of
from benchmarks.verifier_cost import bought, cost_percent

pytestmark = pytest.mark.unit


def measured(own: float = 100.0, common: float = 100.0, end: float = 0.2) -> dict[str, Any]:
    return {
        "own segment": {"percent of bare": own},
        "common segment": {"percent of bare": common},
        "end check in steps": end,
    }


def test_it_is_the_plans_cost_where_a_replay_costs_its_steps() -> None:
    plan = plan_of(200_000, 2)
    assert cost_percent(plan, measured(), 0.2) == pytest.approx(100 * plan.verification_cost(0.2))


@pytest.mark.parametrize(("slow", "steps"), [({"own": 50.0}, 12.2), ({"common": 80.0}, 9.2), ({"end": 1.2}, 9.2)])
def test_what_costs_more_than_its_steps_counts_as_more(slow: dict[str, float], steps: float) -> None:
    assert cost_percent(plan_of(200_000, 2), measured(**slow), 1.0) == pytest.approx(100 * 3 * steps / 40)


def test_more_samples_cost_more_and_detect_more() -> None:
    few, many = (bought(plan_of(200_000, samples), measured()) for samples in (2, 5))
    assert few["cost percent"]["floor"] < many["cost percent"]["floor"]
    assert few["detection"][0]["of an audited proof"] < many["detection"][0]["of an audited proof"]
    assert many["detection"][-1]["of an audited proof"] == 1
    assert few["detection"][-1]["of a round at the floor"] == pytest.approx(0.2)
