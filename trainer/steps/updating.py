"""The second half of an inner step: from gradients to a clipped AdamW update, each number a function of whole tensors.

So a process that owns some tensors of a state computes for them what one process computes for all (trainer/ranks).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.model.decay import begin_step
from trainer.model.state import TrainState
from trainer.portable.optimizer import adamw as portable_adamw
from trainer.portable.optimizer import square_sums
from trainer.steps.profile import PORTABLE

AdamW = Callable[[RunConfig, TrainState, list[Tensor], float], None]
"""Takes a step in place on a state's tensors, by gradients in their order and a share of the learning rate."""


def tensor_norms(config: RunConfig, gradients: list[Tensor]) -> Tensor:
    """One number of each gradient, which `global_norm` joins: its norm, float32; in a portable run its sum of squares,
    float64."""
    if config.profile == PORTABLE:
        return torch.tensor(square_sums(gradients), dtype=torch.float64)
    return torch.stack(torch._foreach_norm(gradients))


def global_norm(config: RunConfig, norms: Tensor) -> float:
    """The Euclidean norm of all gradients, by the numbers of `tensor_norms` in the order of the names."""
    if config.profile == PORTABLE:
        return math.sqrt(math.fsum(norms.tolist()))  # Python's own sum of floats is another one from 3.12 on
    return float(torch.linalg.vector_norm(norms).item())


def update(config: RunConfig, state: TrainState, gradients: list[Tensor], norm: float, rate_share: float) -> None:
    """Clip by the global norm and take one AdamW step, in place on those tensors that `state` has.

    `gradients` are in its order, and are overwritten. A state without tensors only counts.
    """
    if not gradients:
        state.step += 1
        return
    limit = config.rate("clip")
    if norm > limit:
        torch._foreach_mul_(gradients, limit / norm)
    adamw = portable_adamw if config.profile == PORTABLE else _adamw
    if all(value.device == gradient.device for value, gradient in zip(state.m.values(), gradients, strict=True)):
        adamw(config, state, gradients, rate_share)
    else:
        one_by_one(adamw, config, state, gradients, rate_share)


def one_by_one(adamw: AdamW, config: RunConfig, state: TrainState, gradients: list[Tensor], rate_share: float) -> None:
    """The same step, tensor by tensor: each one's moments come to its device for as long as they are needed (as in
    ZeRO-Offload, Ren et al. 2021, but that the step is computed on the card: the host's is not needed for its bits)."""
    for name, gradient in zip(state.theta, gradients, strict=True):
        m, v = (group[name].to(gradient.device, copy=True) for group in (state.m, state.v))
        adamw(config, TrainState({name: state.theta[name]}, {name: m}, {name: v}, state.step), [gradient], rate_share)
        state.m[name].copy_(m)
        state.v[name].copy_(v)
    state.step += 1


@torch.no_grad()
def _adamw(config: RunConfig, state: TrainState, gradients: list[Tensor], rate_share: float) -> None:
    """Loshchilov & Hutter's AdamW at a share of the learning rate, with decay on matrices only, as in GPT-2."""
    theta = list(state.theta.values())
    m = list(state.m.values())
    v = list(state.v.values())
    beta1 = config.rate("beta1")
    beta2 = config.rate("beta2")
    lr = begin_step(config, state, rate_share)
    torch._foreach_lerp_(m, gradients, 1.0 - beta1)
    torch._foreach_mul_(v, beta2)
    torch._foreach_addcmul_(v, gradients, gradients, 1.0 - beta2)
    denominator = torch._foreach_sqrt(v)
    torch._foreach_div_(denominator, math.sqrt(1.0 - beta2**state.step))
    torch._foreach_add_(denominator, config.rate("eps"))
    torch._foreach_addcdiv_(theta, m, denominator, -lr / (1.0 - beta1**state.step))
