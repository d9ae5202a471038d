"""The portable gradient of a model of one's own: autograd over the portable operations, the same bits on every machine.

As with our own models samples are put into one order, and what is summed over a batch waits until it has passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.binding import bind
from trainer.model.own.errors import InvalidModelPackage
from trainer.model.own.interface import OwnModel, own_model
from trainer.portable.own.kernels import computed
from trainer.portable.own.losses import cross_entropy
from trainer.portable.own.uses import Uses, kept_in
from trainer.portable.own.watch import portable
from trainer.portable.step import one_order
from trainer.portable.waiting import Weights


class _Block(NamedTuple):
    """Some sequences of a batch, (R, T) each, and how many targets count in the whole batch."""

    tokens: Tensor
    targets: Tensor
    mask: Tensor
    counted: int


def own_gradients(
    config: RunConfig, model: nn.Module, theta: Weights, batch: Batch, rows: slice, micro_batches: int = 1
) -> tuple[float, list[Tensor]]:
    """The share of some rows in the batch's mean loss, and in its gradient, in `theta`'s order.

    The loss is for reporting. Raises InvalidModelPackage for a weight that is used outside of the operations.
    """
    own = own_model(config)
    block = _block(own, batch, rows, next(iter(theta.values())).device)
    parameters = bind(model, theta)
    uses = Uses(dict(zip(theta, parameters, strict=True)))
    parts = (part.chunk(micro_batches) for part in (block.tokens, block.targets, block.mask))
    loss = 0.0
    try:
        for tokens, targets, mask in zip(*parts, strict=True):
            uses.begin()
            with kept_in(uses):
                total = _total(own, model, tokens, targets, mask)
            total.backward(torch.full_like(total, 1.0 / block.counted))  # type: ignore[no-untyped-call]
            loss += _number(total) / block.counted
        _require_unused(config, theta, parameters)
        return loss, _ordered(uses.gradients(), theta)
    finally:
        for parameter in parameters:
            parameter.grad = None


def _block(own: OwnModel, batch: Batch, rows: slice, device: torch.device) -> _Block:
    x, y = (torch.from_numpy(side).to(device) for side in (batch.x, batch.y))
    summed = own.summed_loss()
    mask = torch.ones_like(y, dtype=torch.bool) if summed is None else summed.counted(x, y)
    order = torch.from_numpy(one_order(batch.x[rows], batch.y[rows])).to(device)
    return _Block(x[rows][order], y[rows][order], mask[rows][order], max(1, int(mask.sum())))


def _total(own: OwnModel, model: nn.Module, tokens: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    summed = own.summed_loss()
    if summed is None:
        return computed(cross_entropy(targets, None, 0.0), model(tokens))
    return summed.total(model, tokens, targets, mask)


@portable
def _number(total: Tensor) -> float:
    return total.item()


def _require_unused(config: RunConfig, names: Iterable[str], parameters: Iterable[nn.Parameter]) -> None:
    """Raises InvalidModelPackage where autograd itself summed a weight's gradient."""
    for name, parameter in zip(names, parameters, strict=True):
        if parameter.grad is not None:
            raise InvalidModelPackage(
                f"{config.model_package} computes with the weight {name} outside of the portable operations: its "
                "gradient would depend on the parts in which a batch passes"
            )


def _ordered(gradients: Weights, names: Iterable[str]) -> list[Tensor]:
    """A model may have a weight that its loss does not know: no step of it can be taken."""
    for name in names:
        if name not in gradients:
            raise RuntimeError(f"The weight {name} was not used in the loss")
    return [gradients[name] for name in names]
