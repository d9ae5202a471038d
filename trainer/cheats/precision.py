"""All steps, computed in less precision than the profile promises; weights and moments are still kept in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from contracts.protocol.run_config import RunConfig
from trainer.cheats.stepping import Build
from trainer.model.building import build_model

Rounding = Callable[[Tensor], Tensor]
_FP8_LARGEST = 448.0


def autocast(dtype: torch.dtype) -> Build:
    """Builds the run's model with its forward in that compute type; what comes back is float32."""

    def build(config: RunConfig) -> nn.Module:
        model = build_model(config)
        forward = model.forward

        def lowered(*inputs: Any) -> Any:
            with torch.autocast("cpu", dtype):
                return tree_map(_as_float32, forward(*inputs))

        return _with_forward(model, lowered)

    return build


def rounded(rounding: Rounding) -> Build:
    """Builds the run's model with its matrices rounded before they are used, gradients passed straight through."""

    def build(config: RunConfig) -> nn.Module:
        model, plain = build_model(config), build_model(config)

        def coarse(*inputs: Any) -> Any:
            weights = {name: _rounded(rounding, value) for name, value in model.named_parameters()}
            return functional_call(plain, weights, inputs)

        return _with_forward(model, coarse)

    return build


def _with_forward(model: nn.Module, forward: Callable[..., Any]) -> nn.Module:
    model.forward = forward
    return model


def _as_float32(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def _rounded(rounding: Rounding, value: Tensor) -> Tensor:
    return value + (rounding(value) - value).detach() if value.dim() > 1 else value


def to_int8(value: Tensor) -> Tensor:
    """Symmetric, one scale a tensor."""
    scale = value.abs().amax() / 127
    return (value / scale).round().clamp(-127, 127) * scale


def to_fp8(value: Tensor) -> Tensor:
    """E4M3, one scale a tensor."""
    scale = value.abs().amax() / _FP8_LARGEST
    return (value / scale).to(torch.float8_e4m3fn).to(torch.float32) * scale
