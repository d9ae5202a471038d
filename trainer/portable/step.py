"""The portable inner step's gradient: forward and backward by hand, the same bits on every machine.

What could tie the result to a machine's way of working is taken out in three places: sums are exact (`byte_gemm`,
`exact_gemm`), samples are put into one order first, and what is summed over the batch waits until the whole batch has
passed (`waiting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.portable.byte_gemm import rows
from trainer.portable.functions import cross_entropy
from trainer.portable.gpt import PortableGPT
from trainer.portable.llama import PortableLlama
from trainer.portable.scope import Backward, Scope
from trainer.portable.waiting import Waiting, Weights

_Model = PortableGPT | PortableLlama
_KINDS: Mapping[str, Callable[[RunConfig, Scope, Tensor], _Model]] = {"gpt": PortableGPT, "llama": PortableLlama}


@torch.no_grad()
def portable_gradients(
    config: RunConfig, theta: Weights, batch: Batch, micro_batches: int = 1
) -> tuple[float, list[Tensor]]:
    """Mean loss in nats per byte and its gradient, in `theta`'s order.

    The loss is for reporting and may differ in its last bits between libraries; the gradient may not.
    """
    device = next(iter(theta.values())).device
    x, y = (part.to(device) for part in _in_one_order(batch))
    waiting = Waiting()
    weights = Scope(theta, waiting)
    losses = []
    for tokens, targets in zip(x.chunk(micro_batches), y.chunk(micro_batches), strict=True):
        model = _KINDS[config.architecture](config, weights, tokens)
        losses.append(_pass(model, weights, targets.flatten(), x.numel()))
    gradients = waiting.gradients(theta)
    return torch.cat(losses).mean().float().item(), [gradients[name] for name in theta]


def _pass(model: _Model, weights: Scope, targets: Tensor, count: int) -> Tensor:
    """Forward and backward of one micro-batch of a batch of `count` tokens; the losses of its rows."""
    x, leave = model.embedded()  # (R, D)
    backwards: list[Backward] = []
    for branch in model.branches():
        change, backward = branch(x)
        x = x + change
        backwards.append(backward)
    last, norm_backward = model.last_norm(x)
    losses, gradient = cross_entropy(weights.linear(model.head, rows(last)), targets, count)  # (R,), (R, V)
    gradient = norm_backward(weights.linear_backward(model.head, gradient, last, slices=2))
    for backward in reversed(backwards):
        gradient = gradient + backward(gradient)
    leave(gradient)
    return losses


def one_order(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of samples (R, T) when they are sorted by their bytes."""
    return np.lexsort(np.concatenate([x, y], axis=1).T)


def _in_one_order(batch: Batch) -> tuple[Tensor, Tensor]:
    x, y, _ = batch
    order = one_order(x, y)
    return torch.from_numpy(x[order]), torch.from_numpy(y[order])
