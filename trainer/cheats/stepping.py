"""The inner loop of a cheat: the honest one, with another step, another model or other committed states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import StepResult, inner_step
from trainer.steps.trajectory import BoundaryRecorder, InnerRunner, OnStep, Trajectory

Step = Callable[[RunConfig, nn.Module, TrainState, BatchSource, int], StepResult]
"""Does step `int` of the round, in place on the state."""

Build = Callable[[RunConfig], nn.Module]
Shown = Callable[[RunConfig, int, Tensors], Tensors]
"""The state that is committed to at boundary `int` instead of the real one; a new mapping, or the same."""


def honest_step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, step: int) -> StepResult:
    """The step as it must be."""
    return inner_step(config, model, state, batches(step))


def as_it_is(_config: RunConfig, _boundary: int, state: Tensors) -> Tensors:
    """The state as it must be shown."""
    return state


def at_the_start(start: Tensors) -> Tensors:
    """The state to begin from as it must be."""
    return start


def stepping(
    step: Step = honest_step,
    build: Build = build_model,
    shown: Shown = as_it_is,
    begin: Callable[[Tensors], Tensors] = at_the_start,
) -> InnerRunner:
    """A runner that commits consistently to the states of these functions; boundary 0 is always the true start."""

    def run(
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory:
        configure_determinism(config.profile)
        model = build(config)
        state = TrainState.from_tensors(begin(start), config)
        recorder = BoundaryRecorder(folder)
        losses = []
        recorder.record(start)
        for number in range(config.steps):
            result = step(config, model, state, batches, number)
            losses.append(result.loss)
            if on_step is not None:
                on_step(number, result)
            if (number + 1) % config.segment == 0:
                recorder.record(shown(config, (number + 1) // config.segment, state.to_tensors()))
        return recorder.finish(losses, config.tokens_per_round)

    return run
