"""Real steps with other states than the committed ones, or from another start, or to another end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from contracts.protocol.run_config import RunConfig
from trainer.cheats.skipping import straight
from trainer.cheats.stepping import Shown, stepping
from trainer.data.batches import BatchSource
from trainer.model.state import Tensors, TrainState, inner_of, start_tensors, theta_of
from trainer.steps.inner_step import StepResult, inner_step
from trainer.steps.trajectory import InnerRunner, OnStep, Trajectory

DRIFT = 1e-6
_TARGETS = 64
_TARGET_SEED = 20231114


def drift(size: float = DRIFT) -> InnerRunner:
    """Each update moved by `size` of its own length along one direction that is the same in every step and round.

    The direction is a few entries of the byte embedding: spread over all weights, 1e-6 would be rounded away.
    """

    def step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        before = {name: value.clone() for name, value in state.theta.items()}
        result = inner_step(config, model, state, batches(number))
        moved = sum(float((state.theta[name] - value).square().sum()) for name, value in before.items())
        target = state.theta["tokens.weight"].view(-1)
        target += size * moved**0.5 * _direction(target.numel())
        return result

    return stepping(step)


def made_up_moments(_config: RunConfig, _boundary: int, state: Tensors) -> Tensors:
    """True weights with moments that nobody computed."""
    made: Tensors = {}
    for name, value in theta_of(state).items():
        gradient = np.multiply(value, np.float32(1e-3))
        made |= {f"m.{name.removeprefix('theta.')}": gradient, f"v.{name.removeprefix('theta.')}": np.square(gradient)}
    return state | made


def only_last(shown: Shown) -> Shown:
    """`shown` at the last boundary alone."""
    return lambda config, boundary, state: shown(config, boundary, state) if boundary == config.segments else state


def only_middle(shown: Shown) -> Shown:
    """`shown` at one boundary in the middle alone."""
    return lambda config, boundary, state: shown(config, boundary, state) if boundary == config.segments // 2 else state


def spoilt(prefix: str, value: float) -> Shown:
    """One entry of the final norm's `prefix` tensor (theta, m or v) replaced by `value`."""

    def show(_config: RunConfig, _boundary: int, state: Tensors) -> Tensors:
        name = f"{prefix}.norm.weight"
        broken = state[name].copy()
        broken[0] = value
        return state | {name: broken}

    return show


def from_theta(stale: Tensors) -> InnerRunner:
    """All steps, but from the weights `stale`; only the first boundary is the round's start."""

    return stepping(begin=lambda start: start_tensors(stale, inner_of(start)))


def towards(theta: Tensors, noise: float = 0.0) -> InnerRunner:
    """No step: the straight line to the end weights `theta` of somebody else, moved by `noise` of the way if not 0."""

    def run(
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,  # noqa: ARG001
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory:
        generator = np.random.default_rng(_TARGET_SEED)
        end = dict(start)
        for name, value in theta.items():
            way = np.subtract(value, start[name])
            shake = np.float32(noise) * generator.standard_normal(value.shape, dtype=np.float32) * np.std(way)
            end[name] = np.add(value, shake.astype(np.float32))
        return straight(config, start, end, [], on_step, folder)

    return run


def _direction(size: int) -> torch.Tensor:
    """A unit vector over `size` weights with a few entries that are not zero; always the same."""
    generator = torch.Generator().manual_seed(_TARGET_SEED)
    count = min(_TARGETS, size)
    vector = torch.zeros(size)
    indices = torch.randperm(size, generator=generator)[:count]
    signs = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    vector[indices] = signs / count**0.5
    return vector
