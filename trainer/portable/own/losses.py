"""The portable terms of a loss, forward and on the way back.

The number itself is for reporting, and may differ in its last bits between libraries; its gradient may not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer.portable.exact_gemm import exact_sum
from trainer.portable.functions import softmax
from trainer.portable.own.kernels import Back, Kernel


def cross_entropy(targets: Tensor, mask: Tensor | None, smoothing: float) -> Kernel:
    """logits (..., V), of targets (...) and mask (...) bool -> one float32, a sum of nats."""

    def kernel(logits: Tensor) -> tuple[Tensor, Back]:
        flat, place = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1, 1)  # (R, V), (R, 1)
        out = torch.zeros_like(place, dtype=torch.bool) if mask is None else mask.reshape(-1, 1).logical_not()
        p, total = softmax(flat)
        likely = flat.gather(1, place)
        if smoothing:
            p.sub_(smoothing / flat.shape[1])
            likely = likely * (1.0 - smoothing) + flat.mean(1, keepdim=True) * smoothing
        losses = total.log() + (flat.amax(1, keepdim=True) - likely)
        p.scatter_(1, place, p.gather(1, place) - (1.0 - smoothing)).masked_fill_(out, 0.0)
        return losses.masked_fill_(out, 0.0).sum().float(), lambda gradient: ((p * gradient).view(logits.shape),)

    return kernel


def total(x: Tensor) -> tuple[Tensor, Back]:
    """x -> one float32."""
    return exact_sum(x.flatten(), 0).float().squeeze(0), lambda gradient: (gradient.expand(x.shape),)
