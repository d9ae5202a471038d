"""What a model package gives: `build(config)`, and if it likes a loss and `initial`; here it is asked and checked.

- `build(config) -> torch.nn.Module`. It gets a dict: the run's `model_config`, and its `vocab` and `context`. The
  module's forward takes tokens (B, T) int64 and returns logits (B, T, V) float32, or what its `loss_sum` makes use of.
  The names and shapes of its parameters are the layout of the run's weights.
- `loss`, or `loss_sum` and `mask`: see trainer/model/own/losses.py.
- `initial(name, shape, generator) -> Tensor`: a parameter at round 0. Without it: matrices are drawn with a deviation
  of 0.02, vectors are one, and those whose name ends in "bias" are zero.

State beside the parameters (buffers) is refused: no commitment would cover it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from contracts.protocol.own_model import parse_settings, settings_text
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import full_layout
from contracts.tensors.tensorfile import MAX_HEADER, header_of, packed_size
from trainer.model.own.errors import InvalidModelPackage
from trainer.model.own.loading import LOCK, package
from trainer.model.own.losses import Loss, SummedLoss, cross_entropy, require_one_loss
from trainer.model.own.source import installed

Shapes = dict[str, tuple[int, ...]]
_NAME = re.compile(r"[A-Za-z0-9_.]{1,200}")
UNMEASURED: Mapping[str, int] = {"weights_size": 1, "state_size": 1}
"""Sizes of a run's files before its package was asked: no file is so small."""
_DEVIATION = 0.02


@dataclass(frozen=True)
class OwnModel:
    """A run's model as its package builds it; `shapes` are those of its parameters, sorted by name."""

    package: ModuleType
    told: str
    vocab: int
    context: int
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    def module(self) -> nn.Module:
        """The module without memory for its parameters, for functional calls."""
        return _built(self.package, self.told, self.vocab, self.context)

    def loss(self) -> Loss:
        """The package's loss of logits, or cross-entropy."""
        return getattr(self.package, "loss", cross_entropy)

    def summed_loss(self) -> SummedLoss | None:
        """The package's `loss_sum`, if it gives one."""
        return SummedLoss(self.package) if hasattr(self.package, "loss_sum") else None

    def initial(self, seed: int) -> dict[str, Tensor]:
        """Parameters at round 0, drawn in the order of the names from one generator. Raises InvalidModelPackage."""
        generator = torch.Generator().manual_seed(seed)
        draw = getattr(self.package, "initial", _drawn)
        try:
            return {name: self._checked(name, shape, draw(name, shape, generator)) for name, shape in self.shapes}
        except InvalidModelPackage:
            raise
        except Exception as error:
            raise InvalidModelPackage(
                f"initial of {self.package.__name__} fails: {type(error).__name__}: {error}"
            ) from error

    def sizes(self) -> tuple[int, int]:
        """Bytes of a file of weights, and of one of a full state. Raises InvalidModelPackage."""
        theta = {f"theta.{name}": ("F32", shape) for name, shape in self.shapes}
        state = full_layout(theta)
        if len(header_of(state)) > MAX_HEADER:
            raise InvalidModelPackage(f"{self.package.__name__} has too many parameters for the head of a file")
        return packed_size(theta), packed_size(state)

    def _checked(self, name: str, shape: tuple[int, ...], value: Tensor) -> Tensor:
        right = isinstance(value, Tensor) and value.dtype == torch.float32 and tuple(value.shape) == shape
        if not right or not bool(torch.isfinite(value).all()):
            raise InvalidModelPackage(
                f"initial of {self.package.__name__} gives no finite float32 of {shape} for {name}"
            )
        return value.detach().clone()


def own_model(config: RunConfig) -> OwnModel:
    """The model of a run of the architecture `own`. Raises ModelPackageMissing, ModelPackageDiffers, and
    InvalidModelPackage, also where its files have other sizes than the run says."""
    found = _model(config)
    if found.sizes() != (config.weights_size, config.state_size):
        weights, state = found.sizes()
        raise InvalidModelPackage(
            f"the run says that its files of weights and states have {config.weights_size} and {config.state_size} "
            f"bytes, and the model of {config.model_package} has {weights} and {state}: open the run anew without them"
        )
    return found


def named(package_name: str, settings: Mapping[str, Any], **fields: Any) -> RunConfig:
    """The configuration of a run that trains a package as it is installed here, with all that names it.

    Raises InvalidRunConfig, ModelPackageMissing and InvalidModelPackage.
    """
    own = {"architecture": "own", "model_package": package_name, "model_config": settings_text(settings)}
    return measured(RunConfig(**{**own, "model_digest": installed(package_name).digest, **UNMEASURED, **fields}))


def measured(config: RunConfig) -> RunConfig:
    """The same configuration with the sizes of its files, where they are UNMEASURED.

    Raises ModelPackageMissing, ModelPackageDiffers and InvalidModelPackage.
    """
    found = dict(zip(UNMEASURED, _model(config).sizes(), strict=True))
    known = {name: size for name, size in found.items() if getattr(config, name) == UNMEASURED[name]}
    return replace(config, **known)  # type: ignore[arg-type]


def _model(config: RunConfig) -> OwnModel:
    return _described(config.model_package, config.model_digest, config.model_config, config.vocab, config.context)


@lru_cache(maxsize=8)
def _described(name: str, digest: str, told: str, vocab: int, context: int) -> OwnModel:
    loaded = package(name, digest)
    require_one_loss(loaded)
    module = _built(loaded, told, vocab, context)
    shapes = {name: tuple(value.shape) for name, value in module.named_parameters()}
    return OwnModel(loaded, told, vocab, context, tuple(sorted(shapes.items())))


def _built(loaded: ModuleType, told: str, vocab: int, context: int) -> nn.Module:
    """What `build` returns, checked. Its own random weights are of no use, and change no other draw."""
    name = loaded.__name__
    try:
        with LOCK, torch.random.fork_rng(devices=[]):
            module = loaded.build({**parse_settings(told), "vocab": vocab, "context": context})
    except Exception as error:
        raise InvalidModelPackage(f"build of {name} fails: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise InvalidModelPackage(f"build of {name} returns no torch.nn.Module")
    _check_parameters(name, module)
    return _without_memory(module)


def _check_parameters(name: str, module: nn.Module) -> None:
    for kept, _ in module.named_buffers():
        raise InvalidModelPackage(
            f"the module of {name} keeps the buffer {kept}, and no commitment covers it: compute it in forward"
        )
    parameters = dict(module.named_parameters())
    for parameter, value in parameters.items():
        if value.dtype != torch.float32 or not value.requires_grad or not _NAME.fullmatch(parameter):
            raise InvalidModelPackage(f"the parameter {parameter[:200]} of {name} is no float32 that is trained")
    if not parameters:
        raise InvalidModelPackage(f"the module of {name} has no parameters")


def _without_memory(module: nn.Module) -> nn.Module:
    """Weights come from a TrainState by functional call; a parameter with two names stays one."""
    empty: dict[int, tuple[nn.Parameter, nn.Parameter]] = {}
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                known = empty.setdefault(id(value), (value, nn.Parameter(torch.empty_like(value, device="meta"))))
                part._parameters[name] = known[1]
    return module


def _drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) > 1:
        return torch.empty(shape).normal_(0.0, _DEVIATION, generator=generator)
    return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
