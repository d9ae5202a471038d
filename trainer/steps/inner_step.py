"""The inner step: the one function that a node runs to train and a verifier runs to check.

A batch is cut into the run's `ranks` equal blocks. Each block's gradient is computed by itself, and the blocks are
added in their order. So one process that takes them one after another has the bits of several, of which each computes
its own (trainer/ranks).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.binding import bind
from trainer.model.objective import loss_shares
from trainer.model.state import TrainState
from trainer.portable.own.step import own_gradients
from trainer.portable.step import portable_gradients
from trainer.steps.profile import BOUNDED, PORTABLE
from trainer.steps.updating import global_norm, tensor_norms, update
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


class Share(NamedTuple):
    """A part of a batch's mean loss, and its gradient in the order of the weights' names."""

    loss: float
    gradients: list[Tensor]


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
    if micro_batches != 1 and config.profile != PORTABLE:
        raise MicroBatchesUnsupported(f"{micro_batches} micro-batches under the profile {config.profile!r}")
    blocks = (block_share(config, model, state.theta, batch, block, micro_batches) for block in range(config.ranks))
    loss, gradients = _added(blocks)
    norm = global_norm(config, tensor_norms(config, gradients))
    check_finite(loss, norm, state.step)
    update(config, state, gradients, norm, batch.rate_share)
    return StepResult(loss, norm)


def block_share(
    config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch, block: int, micro_batches: int = 1
) -> Share:
    """The share of one of the batch's `config.ranks` blocks, from 0, computed by itself."""
    size = len(batch.x) // config.ranks
    rows = slice(block * size, (block + 1) * size)
    if config.profile != PORTABLE:
        return _autograd_share(config, model, theta, batch, rows)
    parts = size // config.micro_batch if config.micro_batch else micro_batches
    if config.architecture == "own":
        return Share(*own_gradients(config, model, theta, batch, rows, parts))
    own = Batch(batch.x[rows], batch.y[rows], batch.rate_share)
    loss, gradients = portable_gradients(config, theta, own, parts)
    if config.ranks > 1:
        torch._foreach_mul_(gradients, 1.0 / config.ranks)
    return Share(loss / config.ranks, gradients)


def check_finite(loss: float, norm: float, step: int) -> None:
    """Raises NonFiniteLoss."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NonFiniteLoss(f"loss {loss}, gradient norm {norm} at step {step}")


def _bounded_step(config: RunConfig, model: nn.Module, state: TrainState, batch: Batch) -> StepResult:
    variant = chosen()
    with computing(variant):
        result = StepResult(*step_as(variant, config, model, state, batch))
    check_finite(*result, state.step)
    return result


def _added(blocks: Iterable[Share]) -> Share:
    """In the order given, into the first one's tensors."""
    loss, total = next(shares := iter(blocks))
    for more, gradients in shares:
        loss += more
        torch._foreach_add_(total, gradients)
    return Share(loss, total)


def _autograd_share(config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch, rows: slice) -> Share:
    """Of some rows of a batch; their parts are added in the order of the sequences."""
    share = loss_shares(config, torch.from_numpy(batch.x), torch.from_numpy(batch.y))
    at_once = config.micro_batch or rows.stop - rows.start
    parameters = bind(model, theta)
    loss = 0.0
    try:
        for first in range(rows.start, rows.stop, at_once):
            part = share(model, slice(first, min(first + at_once, rows.stop)))
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return Share(loss, [_gradient(parameter) for parameter in parameters])
    finally:
        for parameter in parameters:
            parameter.grad = None


def _gradient(parameter: nn.Parameter) -> Tensor:
    """A model of one's own may have a parameter that its loss does not know: no step of it can be taken."""
    if parameter.grad is None:
        raise RuntimeError("One of the parameters was not used in the loss")
    return parameter.grad
