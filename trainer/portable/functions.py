"""Norms, softmax and the loss with their backward passes, all of them from exact sums and tables.

Everything else is a single float32 operation, rounded once: no call here leaves an order or a fusion to a library.

Shapes: R rows, D width of the model, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trainer.portable.exact_gemm import exact_square_sum, exact_sum, square_root_
from trainer.portable.tables import exp_negative

LAYER_NORM_EPSILON = 1e-5  # of torch.nn.LayerNorm


class Normed(NamedTuple):
    """What a norm leaves for its backward pass: rows of unit size (R, D), and what they were multiplied by (R, 1)."""

    unit: Tensor
    inverse_size: Tensor


def layer_norm(x: Tensor, gain: Tensor) -> tuple[Tensor, Normed]:
    """x (R, D) centred, normed and scaled: (R, D)."""
    return rms_norm(x - _mean(x), gain, LAYER_NORM_EPSILON)


def layer_norm_backward(gradient: Tensor, gain: Tensor, saved: Normed) -> tuple[Tensor, Tensor]:
    """Gradient of the input, and each row's share of the gain's gradient."""
    inner = gradient * gain
    shares = gradient * saved.unit
    along = saved.unit * _mean(inner * saved.unit)
    return inner.sub_(_mean(inner)).sub_(along).mul_(saved.inverse_size), shares


def rms_norm(x: Tensor, gain: Tensor, epsilon: float) -> tuple[Tensor, Normed]:
    """x (R, D) over the root of its mean square, times the gain: (R, D)."""
    square = exact_square_sum(x, -1).mul_(1.0 / x.shape[-1])  # (R, 1)
    inverse = (torch.ones_like(square) / square_root_(square.add_(epsilon))).float()
    unit = x * inverse
    return unit * gain, Normed(unit, inverse)


def rms_norm_backward(gradient: Tensor, gain: Tensor, saved: Normed) -> tuple[Tensor, Tensor]:
    """Gradient of the input, and each row's share of the gain's gradient."""
    inner = gradient * gain
    shares = gradient * saved.unit
    along = saved.unit * _mean(inner * saved.unit)
    return inner.sub_(along).mul_(saved.inverse_size), shares


def softmax(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities along the last axis, and the float64 sum of exp(score - largest score), kept as length 1."""
    weights = exp_negative(scores.amax(-1, keepdim=True) - scores)
    total = weights.sum(-1, keepdim=True, dtype=torch.float64)  # multiples of 2^-23: exact
    return weights.div_(total.float()), total


def cross_entropy(logits: Tensor, targets: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Loss of each row, float64 in nats, for reporting only; and the gradient of logits of the mean over `tokens`."""
    place = targets.unsqueeze(1)
    p, total = softmax(logits)  # (R, V), (R, 1)
    losses = total.log() + (logits.amax(1, keepdim=True) - logits.gather(1, place))
    gradient = p.scatter_(1, place, p.gather(1, place) - 1.0).mul_(1.0 / tokens)
    return losses.squeeze(1), gradient


def _mean(x: Tensor) -> Tensor:
    return exact_sum(x, -1).float().mul_(1.0 / x.shape[-1])
