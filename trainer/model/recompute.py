"""Activation checkpointing (Chen et al. 2016): a block's insides are computed again in the backward pass, not kept.

It is each machine's own choice: the same operations on the same numbers are done twice, so no bit of a step changes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_chosen = False


def choose_recompute(recompute: bool) -> None:
    """Keep only the inputs of blocks from now on, or all."""
    global _chosen
    _chosen = recompute


def is_recomputing() -> bool:
    """Whether blocks are computed again."""
    return _chosen


def passed(block: nn.Module, x: Tensor, *more: Any) -> Tensor:
    """x through a block."""
    if not (_chosen and torch.is_grad_enabled()):
        through: Tensor = block(x, *more)
        return through
    again: Tensor = checkpoint(block, x, *more, use_reentrant=False, preserve_rng_state=False)
    return again
