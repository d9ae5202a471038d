"""A run's model by its architecture, and the weights that a run begins with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from contracts.protocol.run_config import RunConfig
from trainer.model.gpt import GPT
from trainer.model.layout import weight_shapes
from trainer.model.llama import Llama
from trainer.model.own.interface import own_model
from trainer.model.own.losses import Loss, cross_entropy

_KINDS: Mapping[str, Callable[[RunConfig], nn.Module]] = {"gpt": GPT, "llama": Llama}
_ENDS = ("out.weight", "down.weight", "o_proj.weight", "down_proj.weight")
"""Of a residual branch."""


def build_model(config: RunConfig) -> nn.Module:
    """The architecture alone, without memory: weights come from a TrainState (trainer/model/binding.py).

    Tokens (B, T) int64 -> logits (B, T, V) float32. Raises ModelPackageMissing, ModelPackageDiffers and
    InvalidModelPackage.
    """
    if config.architecture == "own":
        return own_model(config).module()
    with torch.device("meta"):
        return _KINDS[config.architecture](config)


def loss_of(config: RunConfig) -> Loss:
    """The mean loss of logits: cross-entropy, or the loss of one's own model."""
    return own_model(config).loss() if config.architecture == "own" else cross_entropy


def logits_of(config: RunConfig, model: nn.Module, tokens: Tensor) -> Tensor:
    """Tokens (B, T) int64 -> logits (B, T, V) float32, in the run's precision: with bf16 torch's autocast picks what is
    computed in bfloat16, and the loss is taken in float32."""
    if config.precision == "float32":
        logits: Tensor = model(tokens)
        return logits
    with torch.autocast("cpu", torch.bfloat16):
        return model(tokens).float()  # type: ignore[no-any-return]


def initial_parameters(config: RunConfig) -> dict[str, Tensor]:
    """Weights at round 0, float32, GPT-2 scaling, drawn in name order from one generator of `config.seed`; one's own
    model says how."""
    if config.architecture == "own":
        return own_model(config).initial(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    parameters: dict[str, Tensor] = {}
    for name, shape in weight_shapes(config).items():
        if "norm" in name:
            parameters[name] = torch.ones(shape)
            continue
        deviation = 0.02 / math.sqrt(2 * config.layers) if name.endswith(_ENDS) else 0.02
        parameters[name] = torch.empty(shape).normal_(0.0, deviation, generator=generator)
    return parameters
