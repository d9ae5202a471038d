"""Clipping and AdamW in float32 where every operation is rounded on its own, so that no fusion can change a bit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.model.decay import begin_step
from trainer.model.state import TrainState
from trainer.portable.exact_gemm import exact_square_sum, square_root_


def square_sums(gradients: list[Tensor]) -> list[float]:
    """The exact sum of squares of each tensor on a grid of 12 bits of its peak: the global norm's are their sum."""
    return [exact_square_sum(gradient.flatten(), 0).item() for gradient in gradients]


@torch.no_grad()
def adamw(config: RunConfig, state: TrainState, gradients: list[Tensor], rate_share: float) -> None:
    """Loshchilov & Hutter's AdamW at a share of the learning rate, in place, decay on matrices only.

    `gradients` are overwritten.

    The arithmetic is the float32 profile's, less its fused operations: x + a * y is a product and then a sum.
    """
    theta = list(state.theta.values())
    m = list(state.m.values())
    v = list(state.v.values())
    beta1 = config.rate("beta1")
    beta2 = config.rate("beta2")
    lr = begin_step(config, state, rate_share)
    _average(m, torch._foreach_mul(gradients, 1.0 - beta1), beta1)
    torch._foreach_mul_(gradients, gradients)
    torch._foreach_mul_(gradients, 1.0 - beta2)
    _average(v, gradients, beta2)
    denominator = [square_root_(value.clone()) for value in v]
    torch._foreach_mul_(denominator, 1.0 / math.sqrt(1.0 - whole_power(beta2, state.step)))
    torch._foreach_add_(denominator, config.rate("eps"))
    update = torch._foreach_div(m, denominator)
    torch._foreach_mul_(update, lr / (1.0 - whole_power(beta1, state.step)))
    torch._foreach_sub_(theta, update)


def whole_power(base: float, exponent: int) -> float:
    """base ** exponent from float64 products alone: a library's pow may be off in the last bit."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base = base * base
        exponent = exponent >> 1
    return result


def _average(mean: list[Tensor], share: Sequence[Tensor], decay: float) -> None:
    torch._foreach_mul_(mean, decay)
    torch._foreach_add_(mean, list(share))
