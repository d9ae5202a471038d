"""The beginning of an AdamW step, which every arithmetic has in common."""

from __future__ import annotations

import torch

from contracts.protocol.run_config import RunConfig
from trainer.model.state import TrainState


@torch.no_grad()
def begin_step(config: RunConfig, state: TrainState, rate_share: float) -> float:
    """Count the step, and let the matrices decay, as GPT-2's do and vectors do not. Returns the learning rate."""
    rate = config.rate("inner_lr") * rate_share
    state.step += 1
    if decayed := [value for value in state.theta.values() if value.dim() > 1]:
        torch._foreach_mul_(decayed, 1.0 - rate * config.rate("weight_decay"))
    return rate
