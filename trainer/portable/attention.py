"""Attention with its backward pass, from exact products and sums, for any number of query heads to a head of keys.

Shapes: B batch, T time, G heads of keys and values, N heads of queries to each of them, K width of a head.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.portable.exact_gemm import exact_matmul, exact_sum
from trainer.portable.functions import softmax


class Attended(NamedTuple):
    """What `attention` leaves for its backward pass; q (B, G, N * T, K), k and v (B, G, T, K), p (B, G, N * T, T)."""

    q: Tensor
    k: Tensor
    v: Tensor
    p: Tensor


def attention(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor) -> tuple[Tensor, Attended]:
    """Queries (B, G, N * T, K) over keys and values (B, G, T, K) give (B, G, N * T, K).

    `hidden`, bool (T, T) or (B, 1, 1, T, T), says which positions no query looks at. The query heads of a group are one
    after another, so that what they all give to its keys and values is a single contraction, not a sum of many.
    """
    scores = exact_matmul(q, k.mT).mul_(_share(q))  # (B, G, N * T, T)
    scores.view(*k.shape[:2], -1, k.shape[2], k.shape[2]).masked_fill_(hidden, -math.inf)
    p = softmax(scores)[0]
    return exact_matmul(p, v), Attended(q, k, v, p)


def attention_backward(gradient: Tensor, saved: Attended) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, of the gradient (B, G, N * T, K) of what `attention` gave."""
    q, k, v, p = saved
    shift = exact_matmul(gradient, v.mT).mul_(p)  # (B, G, N * T, T)
    ds = shift.sub_(p * exact_sum(shift, -1).float()).mul_(_share(q))
    return exact_matmul(ds, k), exact_matmul(ds.mT, q), exact_matmul(p.mT, gradient)


def future(time: int, device: torch.device) -> Tensor:
    """Positions that come later, (T, T) bool."""
    return torch.ones(time, time, dtype=torch.bool, device=device).triu_(1)


def _share(q: Tensor) -> float:
    return 1.0 / math.sqrt(q.shape[-1])
