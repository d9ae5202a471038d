"""The model's functions with their backward passes, all of them from exact products, sums and tables.

Everything else is a single float32 operation, rounded once: no call here leaves an order or a fusion to a library.

Shapes: B batch, T time, R = B * T rows, H heads, D width of the model, K = D / H width of a head, V vocabulary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.portable.exact_gemm import exact_matmul, exact_square_sum, exact_sum, square_root_
from trainer.portable.tables import exp_negative

_EPSILON = 1e-5  # of torch.nn.LayerNorm


class Normed(NamedTuple):
    """What `layer_norm` leaves for its backward pass."""

    unit: Tensor
    inverse_deviation: Tensor


class Attended(NamedTuple):
    """What `attention` leaves for its backward pass; q, k, v (B, H, T, K) and p (B, H, T, T)."""

    q: Tensor
    k: Tensor
    v: Tensor
    p: Tensor


def layer_norm(x: Tensor, gain: Tensor) -> tuple[Tensor, Normed]:
    """x (R, D) normed and scaled: (R, D)."""
    centred = x - _mean(x)  # (R, D)
    variance = exact_square_sum(centred, -1).mul_(1.0 / x.shape[-1])  # (R, 1)
    inverse = (torch.ones_like(variance) / square_root_(variance.add_(_EPSILON))).float()
    unit = centred.mul_(inverse)
    return unit * gain, Normed(unit, inverse)


def layer_norm_backward(gradient: Tensor, gain: Tensor, saved: Normed) -> tuple[Tensor, Tensor]:
    """Gradient of the input, and each row's share of the gain's gradient."""
    inner = gradient * gain
    shares = gradient * saved.unit
    along = saved.unit * _mean(inner * saved.unit)
    return inner.sub_(_mean(inner)).sub_(along).mul_(saved.inverse_deviation), shares


def attention(qkv: Tensor, batch: int, heads: int) -> tuple[Tensor, Attended]:
    """Causal attention: (R, 3 D) -> (R, D)."""
    rows = qkv.shape[0]
    width = qkv.shape[1] // 3
    time = rows // batch
    q, k, v = qkv.view(batch, time, 3, heads, width // heads).permute(2, 0, 3, 1, 4).contiguous()  # 3 x (B, H, T, K)
    scores = exact_matmul(q, k.mT).mul_(1.0 / math.sqrt(width // heads))  # (B, H, T, T)
    future = torch.ones(time, time, dtype=torch.bool, device=qkv.device).triu_(1)
    p = softmax(scores.masked_fill_(future, -math.inf))[0]
    y = exact_matmul(p, v).transpose(1, 2).reshape(rows, width)  # (R, D)
    return y, Attended(q, k, v, p)


def attention_backward(gradient: Tensor, saved: Attended) -> Tensor:
    """Gradient of the rows that `attention` took: (R, D) -> (R, 3 D)."""
    q, k, v, p = saved
    batch, heads, time, depth = q.shape
    g = gradient.view(batch, time, heads, depth).transpose(1, 2).contiguous()  # (B, H, T, K)
    shift = exact_matmul(g, v.mT).mul_(p)  # (B, H, T, T)
    ds = shift.sub_(p * exact_sum(shift, -1).float()).mul_(1.0 / math.sqrt(depth))
    parts = torch.stack([exact_matmul(ds, k), exact_matmul(ds.mT, q), exact_matmul(p.mT, g)])  # (3, B, H, T, K)
    return parts.permute(1, 3, 0, 2, 4).reshape(batch * time, 3 * heads * depth)  # (R, 3 D)


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
