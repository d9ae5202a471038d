"""Work that was not done: states made up between, or after, a few real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import STEP_NAME
from trainer.cheats.stepping import stepping
from trainer.data.batches import BatchSource
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState, check_layout, layout, step_count
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import StepResult, inner_step
from trainer.steps.trajectory import BoundaryRecorder, InnerRunner, OnStep, Trajectory, run_inner


def skip_all(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,  # noqa: ARG001
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """No step at all: the start state at every boundary, with only the step count moved on."""
    check_layout(start, layout(config))
    recorder = BoundaryRecorder(folder)
    losses = list[float]()
    for boundary in range(config.segments + 1):
        recorder.record(start | {STEP_NAME: _steps_later(start, boundary * config.segment)})
    _pretend(config, losses, on_step)
    return recorder.finish(losses, config.tokens_per_round)


def extrapolated(real_segments: Callable[[RunConfig], int]) -> InnerRunner:
    """That many segments for real, then the last real update repeated in a straight line, moments kept."""

    def run(
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory:
        configure_determinism(config.profile)
        model = build_model(config)
        state = TrainState.from_tensors(start, config)
        recorder = BoundaryRecorder(folder)
        losses = []
        real = real_segments(config)
        recorder.record(start)
        before = start
        for step in range(real * config.segment):
            before = state.to_tensors()
            result = inner_step(config, model, state, batches(step))
            losses.append(result.loss)
            _report(on_step, step, result)
            if (step + 1) % config.segment == 0:
                recorder.record(state.to_tensors())
        end = state.to_tensors()
        for boundary in range(real + 1, config.segments + 1):
            recorder.record(_along(before, end, 1 + (boundary - real) * config.segment))
        _pretend(config, losses, on_step)
        return recorder.finish(losses, config.tokens_per_round)

    return run


def interpolate(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """A quarter of the segments for real, then claimed as the whole: boundaries on the line to that end."""
    short = replace(config, steps=max(1, config.segments // 4) * config.segment)
    real = run_inner(short, start, batches, on_step)
    return straight(config, start, real.end_state, list(real.losses), on_step, folder)


def straight(
    config: RunConfig,
    start: Tensors,
    end: Tensors,
    losses: list[float],
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """Boundaries on the straight line from `start` to `end`, with losses that look like learning after the given."""
    recorder = BoundaryRecorder(folder)
    for boundary in range(config.segments + 1):
        step = _steps_later(start, boundary * config.segment)
        recorder.record(_along(start, end, boundary / config.segments) | {STEP_NAME: step})
    _pretend(config, losses, on_step)
    return recorder.finish(losses, config.tokens_per_round)


def _but_the_middle(
    config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, step: int
) -> StepResult:
    if step // config.segment != config.segments // 2:
        return inner_step(config, model, state, batches(step))
    state.step += 1
    return StepResult(float(np.log(config.vocab)), 1.0)


skip_half = extrapolated(lambda config: config.segments // 2)
skip_middle = extrapolated(lambda _config: 1)
skip_one_segment = stepping(_but_the_middle)


def _along(start: Tensors, end: Tensors, factor: float) -> Tensors:
    """start + factor * (end - start) for weights; beyond the end (factor > 1) the moments stay."""
    scale = np.float32(factor)
    line: Tensors = {STEP_NAME: _steps_later(start, round(factor))}
    for name in end.keys() - {STEP_NAME}:
        stays = factor > 1 and not name.startswith("theta.")
        line[name] = end[name] if stays else start[name] + scale * (end[name] - start[name])  # type: ignore[operator]
    return line


def _steps_later(start: Tensors, steps: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array([step_count(start) + steps], dtype=np.int64)


def _report(on_step: OnStep | None, step: int, result: StepResult) -> None:
    if on_step is not None:
        on_step(step, result)


def _pretend(config: RunConfig, losses: list[float], on_step: OnStep | None) -> None:
    """Report steps that were not run with losses that look like learning."""
    for step in range(len(losses), config.steps):
        losses.append(losses[-1] * 0.995 if losses else float(np.log(config.vocab)))
        _report(on_step, step, StepResult(losses[-1], 1.0))
