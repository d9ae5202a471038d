"""Operations that a model's training takes for each token. Known without torch."""

from __future__ import annotations

from contracts.protocol.architecture import parameter_count
from contracts.protocol.run_config import RunConfig

_FORWARD, _STEP = 2, 6
"""Of a weight for each token: a product and a sum, and twice as many on the way back."""


def token_flops(config: RunConfig, recompute: bool = False) -> float:
    """Floating-point operations of a training step for each token, by appendix B of PaLM (Chowdhery et al. 2022):
    6 for each weight that multiplies, and 12 for each layer, width and position of attention. With `recompute` the
    forward pass counts twice."""
    looked_up = config.vocab * config.d_model if config.architecture == "llama" and not config.tied else 0
    weights = parameter_count(config) - looked_up
    attention = 2 * config.layers * config.d_model * config.context
    times = _STEP + _FORWARD if recompute else _STEP
    return float(times * (weights + attention))


def passes(config: RunConfig) -> int:
    """How many times a step goes through the model: each block by itself, in micro-batches."""
    return config.ranks * (config.block // config.micro_batch if config.micro_batch else 1)
