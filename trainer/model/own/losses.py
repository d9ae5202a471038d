"""The losses that a model package may give: a mean of logits, or a sum of its own over the targets that count.

- `loss(logits, targets) -> Tensor`: the mean over what it is given. Without it: cross-entropy.
- `loss_sum(model, tokens, targets, mask) -> Tensor`, in its place: one finite float32, the sum over the targets that
  count, of whatever the package makes of the model: logits need not be what its forward returns. tokens, targets and
  mask have the shape (B, T). A batch's loss is the sum of its parts' sums over the whole batch's count, so parts add up
  whatever their counts are. A term that is no sum, as the balance of a router is, is one of each part: multiply it by
  the part's count.
- `mask(tokens, targets) -> Tensor`, beside a `loss_sum`: bool (B, T), which targets count. Without it: all.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.model.own.errors import InvalidModelPackage

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (B, T, V) and targets (B, T) to the mean loss, a tensor of one number."""


def require_one_loss(package: ModuleType) -> None:
    """Check that a package says in one way what a step descends along. Raises InvalidModelPackage."""
    if hasattr(package, "loss") and hasattr(package, "loss_sum"):
        raise InvalidModelPackage(f"{package.__name__} gives both loss and loss_sum: a step descends along one of them")
    if hasattr(package, "mask") and not hasattr(package, "loss_sum"):
        raise InvalidModelPackage(f"{package.__name__} gives a mask, and no loss_sum that would be told of it")


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over all tokens, in nats."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class SummedLoss:
    """A package's `loss_sum` and `mask`, asked and checked."""

    def __init__(self, package: ModuleType) -> None:
        self._package = package

    def counted(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """The targets that count, bool (B, T). Raises InvalidModelPackage."""
        if not hasattr(self._package, "mask"):
            return torch.ones_like(targets, dtype=torch.bool)
        found = self._package.mask(tokens, targets)
        if not isinstance(found, Tensor) or found.dtype != torch.bool or found.shape != targets.shape:
            raise InvalidModelPackage(f"mask of {self._package.__name__} is no bool of {tuple(targets.shape)}")
        return found

    def total(self, model: nn.Module, tokens: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """The sum over the targets that count, float32 of no dimension. Raises InvalidModelPackage."""
        found = self._package.loss_sum(model, tokens, targets, mask)
        if not isinstance(found, Tensor) or found.dtype != torch.float32 or found.dim():
            shown = f"{found.dtype} of {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise InvalidModelPackage(f"loss_sum of {self._package.__name__} gives no single float32, but {shown}")
        return found
