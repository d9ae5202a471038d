"""Ways not to do the work, with the honest runner's signature: what verification must catch.

Every trajectory here is committed consistently (root, openings and pseudo-gradient agree); only the work is
missing or wrong, so nothing but a replay can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from contracts.errors import CommonweightError
from contracts.run_config import RunConfig
from contracts.state_layout import STEP_NAME
from trainer.batches import Batch, BatchSource
from trainer.inner_step import StepResult, inner_step
from trainer.model import build_model
from trainer.profile import configure_determinism
from trainer.state import Tensors, TrainState, check_layout, layout, step_count
from trainer.trajectory import BoundaryRecorder, InnerRunner, OnStep, Trajectory, run_inner


class UnknownCheat(CommonweightError):
    """No cheat has this name."""

    code = "unknown-cheat"


def runner(cheat: str | None = None) -> InnerRunner:
    """The inner runner of that name; the honest one for None. Raises UnknownCheat."""
    if cheat is None:
        return run_inner
    if cheat not in CHEATS:
        raise UnknownCheat(f"{cheat!r} is not one of {', '.join(sorted(CHEATS))}")
    return CHEATS[cheat]


def skip_middle(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """The first segment for real, then the last real update repeated in a straight line, moments kept."""
    configure_determinism(config.profile)
    model, state = build_model(config), TrainState.from_tensors(start, config)
    recorder = BoundaryRecorder(folder)
    recorder.record(state.to_tensors())
    losses = []
    before = state.to_tensors()
    for step in range(config.segment):
        before = state.to_tensors()
        result = inner_step(config, model, state, batches(step))
        losses.append(result.loss)
        _report(on_step, step, result)
    real = state.to_tensors()
    recorder.record(real)
    for boundary in range(2, config.segments + 1):
        recorder.record(_along(before, real, 1 + (boundary - 1) * config.segment))
    _pretend(config, losses, on_step)
    return recorder.finish(losses, config.tokens_per_round)


def skip_all(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,  # noqa: ARG001
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """No step at all: the start state at every boundary, with only the step count moved on."""
    check_layout(start, layout(config))
    recorder, losses = BoundaryRecorder(folder), [float(np.log(config.vocab))]
    for boundary in range(config.segments + 1):
        recorder.record(start | {STEP_NAME: _steps_later(start, boundary * config.segment)})
    _report(on_step, 0, StepResult(losses[0], 1.0))
    _pretend(config, losses, on_step)
    return recorder.finish(losses, config.tokens_per_round)


def interpolate(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """A quarter of the segments for real, then claimed as the whole: boundaries on the line to that end."""
    real_segments = max(1, config.segments // 4)
    short = replace(config, steps=real_segments * config.segment)
    real = run_inner(short, start, batches, on_step)
    recorder, losses = BoundaryRecorder(folder), list(real.losses)
    for boundary in range(config.segments + 1):
        step = _steps_later(start, boundary * config.segment)
        recorder.record(_along(start, real.end_state, boundary / config.segments) | {STEP_NAME: step})
    _pretend(config, losses, on_step)
    return recorder.finish(losses, config.tokens_per_round)


def _with_config(change: Callable[[RunConfig], RunConfig]) -> InnerRunner:
    """All steps, under a configuration that is not the run's."""

    def run(
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory:
        return run_inner(change(config), start, batches, on_step, folder)

    return run


def _with_batches(change: Callable[[BatchSource], BatchSource]) -> InnerRunner:
    """All steps, on data that is not the round's."""

    def run(
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory:
        return run_inner(config, start, change(batches), on_step, folder)

    return run


def _slower(config: RunConfig) -> RunConfig:
    slower = format((Decimal(config.inner_lr) * Decimal("0.999")).normalize(), "f")
    return replace(config, inner_lr=slower)


def _repeated(batches: BatchSource) -> BatchSource:
    return lambda _step: batches(0)


def _one_token_changed(batches: BatchSource) -> BatchSource:
    def changed(step: int) -> Batch:
        x, y = (part.copy() for part in batches(step))
        y[0, -1] ^= 1
        return x, y

    return changed


def _along(start: Tensors, end: Tensors, factor: float) -> Tensors:
    """start + factor * (end - start) for weights; beyond the end (factor > 1) the moments stay."""
    scale = np.float32(factor)
    line: Tensors = {STEP_NAME: _steps_later(start, round(factor))}
    for name in end.keys() - {STEP_NAME}:
        whole = factor > 1 and not name.startswith("theta.")
        line[name] = end[name] if whole else start[name] + scale * (end[name] - start[name])  # type: ignore[operator]
    return line


def _steps_later(start: Tensors, steps: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array([step_count(start) + steps], dtype=np.int64)


def _report(on_step: OnStep | None, step: int, result: StepResult) -> None:
    if on_step is not None:
        on_step(step, result)


def _pretend(config: RunConfig, losses: list[float], on_step: OnStep | None) -> None:
    """Report steps that were not run with losses that look like learning."""
    for step in range(len(losses), config.steps):
        losses.append(losses[-1] * 0.995)
        _report(on_step, step, StepResult(losses[-1], 1.0))


CHEATS: Mapping[str, InnerRunner] = {
    "skip-middle": skip_middle,
    "skip-all": skip_all,
    "interpolate": interpolate,
    "learning-rate": _with_config(_slower),
    "no-decay": _with_config(lambda config: replace(config, weight_decay="0")),
    "repeated-data": _with_batches(_repeated),
    "one-token": _with_batches(_one_token_changed),
}
