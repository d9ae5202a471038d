from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.holds import Threat, holds
from tests.trainer.conftest import bits
from trainer.steps.outer import MergeMismatch, merge, zero_momentum

pytestmark = pytest.mark.unit


def _weights(seed: int) -> dict[str, np.ndarray]:
    raw = np.random.Philox(key=seed).random_raw(12) >> np.uint64(40)
    return {"theta.a": (raw.astype(np.float32) / np.float32(2**24) - np.float32(0.5)).reshape(3, 4)}


def test_one_node_by_hand() -> None:
    theta, gradient = {"w": np.array([1.0], np.float32)}, {"w": np.array([0.5], np.float32)}
    new, momentum = merge(theta, zero_momentum(theta), [gradient], 0.5, 0.5)
    assert momentum["w"] == 0.5
    assert new["w"] == 1.0 - 0.5 * (0.5 + 0.5 * 0.5)


@pytest.mark.parametrize(("lr", "mu", "step", "limit"), [(0.5, 0.5, 2**-4, 0.0), (0.7, 0.9, 2**-24, 1e-6)])
def test_it_is_the_nesterov_of_torch(lr: float, mu: float, step: float, limit: float) -> None:
    """DiLoCo's outer optimizer, as torchft has it. Torch may round a product and the sum after it once, we never do: so
    weights are equal where no product needs rounding, and within a few last bits elsewhere; momentum is always."""
    theta = _weights(1)
    theirs = torch.nn.Parameter(torch.from_numpy(theta["theta.a"].copy()))
    optimizer = torch.optim.SGD([theirs], lr=lr, momentum=mu, nesterov=True)
    momentum = zero_momentum(theta)
    for number in range(2, 8):
        one, other = (np.rint(_weights(seed)["theta.a"] / step) * np.float32(step) for seed in (number, 100 + number))
        theta, momentum = merge(theta, momentum, [{"theta.a": one}, {"theta.a": other}], lr, mu)
        theirs.grad = torch.from_numpy((one + other) / 2)
        optimizer.step()
        assert bits(momentum["theta.a"]) == bits(optimizer.state[theirs]["momentum_buffer"].numpy())
        assert np.abs(theta["theta.a"] - theirs.detach().numpy()).max() <= limit


def test_two_rounds_are_golden(golden: Callable[[str, object], None]) -> None:
    theta = _weights(1)
    new, momentum = merge(theta, zero_momentum(theta), [_weights(n) for n in (2, 3, 4)], 0.7, 0.9)
    new, momentum = merge(new, momentum, [_weights(n) for n in (5, 6, 7)], 0.7, 0.9)
    golden("outer_merge", {"theta": bits(new["theta.a"]), "momentum": bits(momentum["theta.a"])})


@holds(
    "The outer step has the same bits on every machine",
    by="trainer/steps/outer.py:merge",
    against=Threat.UNLIKE_MACHINES,
)
def test_products_and_sums_round_separately() -> None:
    """float32 of mu * m is 1 + 2^-11; a fused multiply-add would keep the 2^-24 and not give zero."""
    mu = float(np.float32(1 + 2**-12) / 2)
    theta = {"w": np.array([0.0], np.float32)}
    momentum = {"w": np.array([2 * (1 + 2**-12)], np.float32)}
    _, new = merge(theta, momentum, [{"w": np.array([-(1 + 2**-11)], np.float32)}], 1.0, mu)
    assert new["w"][0] == 0.0


def test_the_order_of_nodes_matters_so_the_caller_fixes_it() -> None:
    theta = {"w": np.array([0.0], np.float32)}
    parts = [{"w": np.array([value], np.float32)} for value in (1e8, -1e8, 1.0)]
    one, _ = merge(theta, zero_momentum(theta), parts, 1.0, 0.0)
    other, _ = merge(theta, zero_momentum(theta), parts[::-1], 1.0, 0.0)
    assert one["w"] != other["w"]


def test_nothing_changes_without_accepted_work() -> None:
    """Inputs are never written."""
    theta, momentum = _weights(1), _weights(2)
    before = theta["theta.a"].copy()
    assert merge(theta, momentum, [], 0.7, 0.9) == (theta, momentum)
    merge(theta, momentum, [_weights(3)], 0.7, 0.9)
    assert np.array_equal(theta["theta.a"], before)


def test_mismatched_weights_are_refused() -> None:
    theta = _weights(1)
    for wrong in ({}, {"theta.a": np.zeros((3, 4))}, {"theta.a": np.zeros((4, 3), np.float32)}):
        with pytest.raises(MergeMismatch):
            merge(theta, zero_momentum(theta), [wrong], 0.7, 0.9)
