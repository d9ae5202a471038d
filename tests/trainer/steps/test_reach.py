"""No AdamW step leads further than the bound, and no honest gradient is beyond it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource
from trainer.model.state import Tensors
from trainer.steps.reach import FURTHEST, furthest, is_within_reach
from trainer.steps.trajectory import run_inner

pytestmark = pytest.mark.unit
RATES = RunConfig(inner_lr="0.01", weight_decay="0.1", steps=40, segment=4)


def moved(config: RunConfig, weight: float, gradients: list[float]) -> float:
    """How far AdamW moves one weight in its last `steps` steps, in float64."""
    lr, beta1, beta2 = config.rate("inner_lr"), config.rate("beta1"), config.rate("beta2")
    m = v = start = 0.0
    for step, gradient in enumerate(gradients, 1):
        if step == len(gradients) - config.steps + 1:
            start = weight
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        weight *= 1 - lr * config.rate("weight_decay")
        denominator = math.sqrt(v / (1 - beta2**step)) + config.rate("eps")
        weight -= lr * m / (1 - beta1**step) / denominator
    return abs(weight - start)


@given(
    betas=st.sampled_from([("0.9", "0.99"), ("0.9", "0.999"), ("0", "0.9"), ("0.5", "0.3"), ("0.95", "0.95")]),
    weight=st.floats(-100, 100),
    gradients=st.lists(st.sampled_from([0.0, 1e-6, -1e-6, 1.0, -1.0, 1e4, -1e4]), min_size=40, max_size=160),
)
def test_no_steps_lead_beyond_it(betas: tuple[str, str], weight: float, gradients: list[float]) -> None:
    """Quiet for long and then loud, which is what moves a weight furthest in one step, among them."""
    config = replace(RATES, beta1=betas[0], beta2=betas[1])
    start = weight * (1 - config.rate("inner_lr") * config.rate("weight_decay")) ** (len(gradients) - config.steps)
    reach, share = furthest(config)
    slack = (len(gradients) // config.steps) * reach  # the steps before moved the weight that the last ones begin with
    assert moved(config, weight, gradients) <= reach + share * (abs(start) + slack)


def test_a_spike_after_silence_comes_close_to_it() -> None:
    """The bound is no more than ten times what a single loud step does, so that it is worth something."""
    config = replace(RATES, beta2="0.999", weight_decay="0", steps=1, segment=1)
    spike = moved(config, 0.0, [1e-9] * 3_000 + [1e4])
    reach, _ = furthest(config)
    assert reach / 10 < spike <= reach


def test_rates_without_a_bound_have_the_last_one() -> None:
    assert furthest(replace(RATES, beta1="0.99", beta2="0.9"))[0] == FURTHEST


def test_honest_work_is_within_reach(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    done = run_inner(config, start, batches)
    theta = {name[6:]: value for name, value in start.items() if name.startswith("theta.")}
    gradient = {name.removeprefix("theta."): value for name, value in done.pseudo_gradient.items()}
    assert is_within_reach(config, theta, gradient)
    assert not is_within_reach(config, theta, {name: np.full_like(value, 3e38) for name, value in gradient.items()})
