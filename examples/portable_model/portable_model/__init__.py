"""A small transformer for portable runs: what it builds, what it descends along, and that it is portable."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainer.portable.operations import cross_entropy, total

from .parallel import Parallel

PORTABLE = True
"""Its steps are made of trainer.portable.operations, and of what moves, adds and multiplies numbers."""
SMOOTHING, LARGE_LOGITS = 0.05, 1e-4


def build(config: dict[str, Any]) -> torch.nn.Module:
    """A transformer of `layers` (2), `width` (32) and `heads` (4): its own settings, beside the run's vocabulary."""
    return Parallel(config["vocab"], config.get("width", 32), config.get("heads", 4), config.get("layers", 2))


def mask(tokens: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 - the run's
    """A target counts unless it ends a text (byte 0)."""
    return targets != 0


def loss_sum(model: torch.nn.Module, tokens: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Smoothed cross-entropy, and in training a little of the squared logits, which keeps them small."""
    logits = model(tokens)
    if not model.training:
        return cross_entropy(logits, targets, mask)
    counted = logits * mask.unsqueeze(-1).float()
    return cross_entropy(logits, targets, mask, SMOOTHING) + LARGE_LOGITS * total(counted * counted)
