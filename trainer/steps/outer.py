"""The outer step of DiLoCo (arXiv 2311.08105): Nesterov over the averaged pseudo-gradient, in portable float32.

Every product and every sum is rounded to float32 on its own, and nodes are added in the order given, so every
machine gets the same bits. numpy only: no fused multiply-add or reduction order is left to a library.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.errors import CommonweightError
from trainer.steps.averaging import Weights, averaged


class MergeMismatch(CommonweightError):
    """Weights, momentum and pseudo-gradients do not have the same names, shapes and float32 dtype."""

    code = "merge-mismatch"


def zero_momentum(theta: Weights) -> dict[str, NDArray[np.generic]]:
    """The outer momentum before the first merge, named as `theta`."""
    return {name: np.zeros_like(value) for name, value in theta.items()}


def merge(
    theta: Weights, momentum: Weights, pseudo_gradients: Sequence[Weights], lr: float, mu: float, rule: str = "mean"
) -> tuple[dict[str, NDArray[np.generic]], dict[str, NDArray[np.generic]]]:
    """(theta', momentum') after one outer step; the caller orders `pseudo_gradients` by node address.

    g = their mean, or another average by `rule` (trainer/steps/averaging.py); momentum' = mu * momentum + g;
    theta' = theta - lr * (g + mu * momentum').
    With no pseudo-gradient both are returned unchanged. Raises MergeMismatch.
    """
    for other in (momentum, *pseudo_gradients):
        _check_alike(theta, other)
    if not pseudo_gradients:
        return dict(theta), dict(momentum)
    rate = np.float32(lr)
    decay = np.float32(mu)
    new_theta = {}
    new_momentum = {}
    for name, mean in averaged(rule, pseudo_gradients):
        velocity = np.add(np.multiply(momentum[name], decay), mean)
        look_ahead = np.add(np.multiply(velocity, decay), mean)
        new_momentum[name] = velocity
        new_theta[name] = np.subtract(theta[name], np.multiply(look_ahead, rate))
    return new_theta, new_momentum


def _check_alike(theta: Weights, other: Weights) -> None:
    if theta.keys() != other.keys():
        raise MergeMismatch(f"names differ: {sorted(theta.keys() ^ other.keys())[:3]}")
    for name, value in theta.items():
        if value.dtype != np.float32 or other[name].dtype != np.float32 or value.shape != other[name].shape:
            raise MergeMismatch(f"{name} differs in shape or is not float32")
