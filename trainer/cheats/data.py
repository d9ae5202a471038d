"""All steps, on data that is not the round's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from contracts.protocol.run_config import RunConfig
from trainer.cheats.stepping import stepping
from trainer.data.batches import Batch, BatchSource
from trainer.model.state import TrainState
from trainer.steps.inner_step import StepResult, inner_step
from trainer.steps.trajectory import InnerRunner

_OWN_TEXT = np.frombuffer(
    b"Buy from us, vote for us; the others have nothing to say that is worth training on. ", np.uint8
)

Other = Callable[[RunConfig, BatchSource, int], Batch]
"""The batch that is used at step `int` instead of the round's."""


def fed(other: Other) -> InnerRunner:
    """A runner whose every step takes its batch from `other`."""

    def step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        wrong = other(config, batches, number)._replace(rate_share=batches(number).rate_share)
        return inner_step(config, model, state, wrong)

    return stepping(step)


def own_text(config: RunConfig, _batches: BatchSource, step: int) -> Batch:
    """Windows of a text of one's own."""
    positions = (np.arange(config.batch)[:, None] * 31 + step * 7 + np.arange(config.context + 1)) % len(_OWN_TEXT)
    return _shifted(_OWN_TEXT[positions])


def easy(config: RunConfig, _batches: BatchSource, step: int) -> Batch:
    """Windows of almost no entropy: two bytes that take turns."""
    pair = np.array([97 + step % 8, 32], dtype=np.uint8)
    return _shifted(np.tile(pair, (config.batch, config.context // 2 + 1))[:, : config.context + 1])


def repeated(_config: RunConfig, batches: BatchSource, _step: int) -> Batch:
    """The round's first batch, every time."""
    return batches(0)


def reordered(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The round's batches, last one first."""
    return batches(config.steps - 1 - step)


def short_context(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The first half of each window."""
    x, y, _ = batches(step)
    return Batch(x[:, : config.context // 2], y[:, : config.context // 2])


def half_batch(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The first half of the sequences."""
    x, y, _ = batches(step)
    return Batch(x[: config.batch // 2], y[: config.batch // 2])


def one_sample(_config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The last sequence replaced by the first."""
    x, y = _copied(batches(step))
    x[-1], y[-1] = x[0], y[0]
    return Batch(x, y)


def one_token(_config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """One target of the batch another byte."""
    x, y = _copied(batches(step))
    y[0, -1] ^= 1
    return Batch(x, y)


def one_token_at_the_end(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """One target another byte, in the last step of each segment only: all others dilute it."""
    return one_token(config, batches, step) if (step + 1) % config.segment == 0 else batches(step)


def poisoned_last_step(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The last step of the round on a text of one's own."""
    return own_text(config, batches, step) if step == config.steps - 1 else batches(step)


def _shifted(windows: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Batch:
    whole = windows.astype(np.int64)
    return Batch(whole[:, :-1], whole[:, 1:])


def _copied(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return batch.x.copy(), batch.y.copy()
