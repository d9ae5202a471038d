"""All steps, computed in less precision than the profile promises; weights and moments are still kept in float32."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from contracts.protocol.run_config import RunConfig
from trainer.cheats.stepping import Build
from trainer.model.gpt import GPT

Rounding = Callable[[Tensor], Tensor]
_FP8_LARGEST = 448.0


class AutocastModel(GPT):
    """The model under torch autocast; logits come back as float32."""

    def __init__(self, config: RunConfig, dtype: torch.dtype) -> None:
        super().__init__(config)
        self._low = dtype

    def forward(self, tokens: Tensor) -> Tensor:
        """As GPT's."""
        with torch.autocast("cpu", self._low):
            return super().forward(tokens).float()


class RoundedModel(GPT):
    """The model with its matrices rounded before they are used, gradients passed straight through."""

    def __init__(self, config: RunConfig, rounding: Rounding) -> None:
        super().__init__(config)
        self._rounding, self._plain = rounding, (GPT(config),)  # in a tuple, so that its parameters are not ours

    def forward(self, tokens: Tensor) -> Tensor:
        """As GPT's."""
        rounded = {name: self._round(value) for name, value in self.named_parameters()}
        logits: Tensor = functional_call(self._plain[0], rounded, (tokens,))
        return logits

    def _round(self, value: Tensor) -> Tensor:
        return value + (self._rounding(value) - value).detach() if value.dim() > 1 else value


def autocast(dtype: torch.dtype) -> Build:
    """Builds the model in that compute type."""

    def build(config: RunConfig) -> nn.Module:
        with torch.device("meta"):
            return AutocastModel(config, dtype)

    return build


def rounded(rounding: Rounding) -> Build:
    """Builds the model with weights rounded that way."""

    def build(config: RunConfig) -> nn.Module:
        with torch.device("meta"):
            return RoundedModel(config, rounding)

    return build


def to_int8(value: Tensor) -> Tensor:
    """Symmetric, one scale a tensor."""
    scale = value.abs().amax() / 127
    return (value / scale).round().clamp(-127, 127) * scale


def to_fp8(value: Tensor) -> Tensor:
    """E4M3, one scale a tensor."""
    scale = value.abs().amax() / _FP8_LARGEST
    return (value / scale).to(torch.float8_e4m3fn).to(torch.float32) * scale
