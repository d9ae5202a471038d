"""The inner step: the one function that a node runs to train and a verifier runs to check."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.building import loss_of
from trainer.model.own.interface import Loss
from trainer.model.state import TrainState
from trainer.portable.optimizer import adamw as portable_adamw
from trainer.portable.optimizer import gradient_norm
from trainer.portable.step import portable_gradients
from trainer.steps.profile import BOUNDED, PORTABLE
from trainer.steps.variants import chosen, computing, step_as


class NonFiniteLoss(CommonweightError):
    """The loss or the gradient of a step is NaN or infinite."""

    code = "non-finite-loss"


class MicroBatchesUnsupported(CommonweightError):
    """Only the portable profile can cut a batch without changing the step."""

    code = "micro-batches-unsupported"


class StepResult(NamedTuple):
    """Training loss in nats per byte, and the gradient's global norm before clipping."""

    loss: float
    gradient_norm: float


def inner_step(
    config: RunConfig, model: nn.Module, state: TrainState, batch: Batch, micro_batches: int = 1
) -> StepResult:
    """One AdamW step, in place on `state`: forward, backward, clip by global norm, decoupled decay.

    `config.profile` picks the arithmetic: torch's own float32, or the portable profile's, where `micro_batches` saves
    memory and changes no bit. Run `configure_determinism` first. Raises MicroBatchesUnsupported and NonFiniteLoss, and
    then leaves `state` as it was.
    """
    if config.profile == BOUNDED:
        return _bounded_step(config, model, state, batch)
    portable = config.profile == PORTABLE
    if micro_batches != 1 and not portable:
        raise MicroBatchesUnsupported(f"{micro_batches} micro-batches under the profile {config.profile!r}")
    if portable:
        parts = config.batch // config.micro_batch if config.micro_batch else micro_batches
        loss, gradients = portable_gradients(config, state.theta, batch, parts)
        norm = gradient_norm(gradients)
    else:
        loss, gradients = _gradients(model, loss_of(config), state.theta, batch, config.micro_batch or len(batch.x))
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).item()
    _check_finite(loss, norm, state)
    limit = config.rate("clip")
    if norm > limit:
        torch._foreach_mul_(gradients, limit / norm)
    (portable_adamw if portable else _adamw)(config, state, gradients, batch.rate_share)
    return StepResult(loss, norm)


def _bounded_step(config: RunConfig, model: nn.Module, state: TrainState, batch: Batch) -> StepResult:
    variant = chosen()
    with computing(variant):
        result = StepResult(*step_as(variant, config, model, state, batch))
    _check_finite(*result, state)
    return result


def _check_finite(loss: float, norm: float, state: TrainState) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NonFiniteLoss(f"loss {loss}, gradient norm {norm} at step {state.step}")


def _gradients(
    model: nn.Module, loss_of_part: Loss, theta: dict[str, Tensor], batch: Batch, at_once: int
) -> tuple[float, list[Tensor]]:
    """Mean loss and its gradient, added up in the order of the sequences, of which so many pass at once."""
    x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
    weights = {name: value.detach().requires_grad_() for name, value in theta.items()}
    step = partial(_part, model, loss_of_part, weights, len(x))
    loss, gradients = step(x[:at_once], y[:at_once])
    for first in range(at_once, len(x), at_once):
        more, others = step(x[first : first + at_once], y[first : first + at_once])
        loss += more
        torch._foreach_add_(gradients, others)
    return loss, gradients


def _part(
    model: nn.Module, loss_of_part: Loss, weights: dict[str, Tensor], whole: int, x: Tensor, y: Tensor
) -> tuple[float, list[Tensor]]:
    """Loss and gradient of some of `whole` sequences, as parts of the mean over all."""
    loss = loss_of_part(functional_call(model, weights, (x,)), y)
    if len(x) < whole:
        loss = loss * (len(x) / whole)
    return loss.item(), list(torch.autograd.grad(loss, list(weights.values())))


@torch.no_grad()
def _adamw(config: RunConfig, state: TrainState, gradients: list[Tensor], rate_share: float) -> None:
    """Loshchilov & Hutter's AdamW at a share of the learning rate, with decay on matrices only, as in GPT-2."""
    theta = list(state.theta.values())
    m = list(state.m.values())
    v = list(state.v.values())
    lr = config.rate("inner_lr") * rate_share
    beta1 = config.rate("beta1")
    beta2 = config.rate("beta2")
    state.step += 1
    decayed = [value for value in theta if value.dim() > 1]
    torch._foreach_mul_(decayed, 1.0 - lr * config.rate("weight_decay"))
    torch._foreach_lerp_(m, gradients, 1.0 - beta1)
    torch._foreach_mul_(v, beta2)
    torch._foreach_addcmul_(v, gradients, gradients, 1.0 - beta2)
    denominator = torch._foreach_sqrt(v)
    torch._foreach_div_(denominator, math.sqrt(1.0 - beta2**state.step))
    torch._foreach_add_(denominator, config.rate("eps"))
    torch._foreach_addcdiv_(theta, m, denominator, -lr / (1.0 - beta1**state.step))
