"""All steps on the right data, with another optimizer than the run's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import torch
from torch import Tensor, nn

from contracts.protocol.run_config import RunConfig
from trainer.cheats.stepping import stepping
from trainer.data.batches import BatchSource
from trainer.model.gpt import GPT
from trainer.model.state import TrainState
from trainer.steps.inner_step import StepResult, inner_step
from trainer.steps.trajectory import InnerRunner

_FROZEN = ("blocks.0.", "model.layers.0.")
"""Names in the first block of a gpt and of a llama; of one's own model only the first weight is frozen."""


def configured(change: Callable[[RunConfig], RunConfig]) -> InnerRunner:
    """Every step under the configuration that `change` makes of the run's."""

    def step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        return inner_step(change(config), model, state, batches(number))

    return stepping(step)


def learning_rate(factor: str) -> InnerRunner:
    """The learning rate times `factor`."""
    return configured(lambda config: replace(config, inner_lr=_times(config.inner_lr, factor)))


def frozen_layer(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, step: int) -> StepResult:
    """A step after which the first block is as before, moments included."""
    groups = (state.theta, state.m, state.v)
    names = [name for name in state.theta if name.startswith(_FROZEN)] or [min(state.theta)]
    copies = [{name: group[name].clone() for name in names} for group in groups]
    result = inner_step(config, model, state, batches(step))
    for group, copy in zip(groups, copies, strict=True):
        group |= copy
    return result


class NoiseModel(GPT):
    """No forward and no backward pass: one logit is a random linear form of the weights, so its gradient is noise."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._generator = torch.Generator(device="cpu").manual_seed(config.seed)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, time, vocab), zero but for byte 0."""
        parts = [
            (v * torch.empty(v.shape).normal_(generator=self._generator)).sum() for _, v in self.named_parameters()
        ]
        logits = torch.zeros(*tokens.shape, self.tokens.num_embeddings)
        one_hot = torch.zeros(self.tokens.num_embeddings)
        one_hot[0] = 1.0
        return logits + one_hot * torch.stack(parts).sum()


def noise_model(config: RunConfig) -> nn.Module:
    """A NoiseModel without memory of its own."""
    with torch.device("meta"):
        return NoiseModel(config)


def _times(rate: str, factor: str) -> str:
    return format((Decimal(rate) * Decimal(factor)).normalize(), "f")
