"""What a step descends along: the mean loss of a batch, as shares of its parts, which add up to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from contracts.protocol.run_config import RunConfig
from trainer.model.building import logits_of, loss_of
from trainer.model.own.interface import own_model
from trainer.model.own.losses import SummedLoss

Share = Callable[[nn.Module, slice], Tensor]
"""A model and some rows of a batch to their share of the batch's mean loss, a tensor of one number."""


def loss_shares(config: RunConfig, x: Tensor, y: Tensor) -> Share:
    """Of a batch of tokens x and targets y, (B, T) int64. Raises InvalidModelPackage, as what it returns does."""
    summed = summed_loss(config)
    return _of_means(config, x, y) if summed is None else _of_sums(config, summed, x, y)


def summed_loss(config: RunConfig) -> SummedLoss | None:
    """The `loss_sum` of one's own model; None where a loss is a mean of logits."""
    return own_model(config).summed_loss() if config.architecture == "own" else None


def in_precision(config: RunConfig) -> AbstractContextManager[object]:
    """Within it torch's autocast picks what is computed in bfloat16, in a run of that precision."""
    return nullcontext() if config.precision == "float32" else torch.autocast("cpu", torch.bfloat16)


def _of_means(config: RunConfig, x: Tensor, y: Tensor) -> Share:
    loss = loss_of(config)

    def share(model: nn.Module, rows: slice) -> Tensor:
        tokens = x[rows]
        found = loss(logits_of(config, model, tokens), y[rows])
        return found if len(tokens) == len(x) else found * (len(tokens) / len(x))

    return share


def _of_sums(config: RunConfig, summed: SummedLoss, x: Tensor, y: Tensor) -> Share:
    mask = summed.counted(x, y)  # of the whole batch, so that parts are told what counts there
    count = max(1, int(mask.sum()))

    def share(model: nn.Module, rows: slice) -> Tensor:
        with in_precision(config):
            total = summed.total(model, x[rows], y[rows], mask[rows])
        return total / count

    return share
