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
"""The batch that is used at step `int` instead of the round's, at the learning rate of that step."""


def fed(other: Other) -> InnerRunner:
    """A runner whose every step takes its batch from `other`."""

    def step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        return inner_step(config, model, state, other(config, batches, number))

    return stepping(step)


def own_text(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """Windows of a text of one's own."""
    positions = (np.arange(config.batch)[:, None] * 31 + step * 7 + np.arange(config.context + 1)) % len(_OWN_TEXT)
    return _shifted(batches(step), _OWN_TEXT[positions])


def easy(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """Windows of almost no entropy: two bytes that take turns."""
    pair = np.array([97 + step % 8, 32], dtype=np.uint8)
    return _shifted(batches(step), np.tile(pair, (config.batch, config.context // 2 + 1))[:, : config.context + 1])


def repeated(_config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The round's first batch, every time."""
    return batches(0)._replace(rate_share=batches(step).rate_share)


def reordered(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The round's batches, last one first."""
    return batches(config.steps - 1 - step)._replace(rate_share=batches(step).rate_share)


def short_context(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The first half of each window."""
    batch = batches(step)
    return batch._replace(x=batch.x[:, : config.context // 2], y=batch.y[:, : config.context // 2])


def half_batch(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The first half of the sequences."""
    batch = batches(step)
    return batch._replace(x=batch.x[: config.batch // 2], y=batch.y[: config.batch // 2])


def one_sample(_config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The last sequence replaced by the first."""
    batch = _copied(batches(step))
    batch.x[-1], batch.y[-1] = batch.x[0], batch.y[0]
    return batch


def one_token(_config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """One target of the batch another byte."""
    batch = _copied(batches(step))
    batch.y[0, -1] ^= 1
    return batch


def one_token_at_the_end(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """One target another byte, in the last step of each segment only: all others dilute it."""
    return one_token(config, batches, step) if (step + 1) % config.segment == 0 else batches(step)


def poisoned_last_step(config: RunConfig, batches: BatchSource, step: int) -> Batch:
    """The last step of the round on a text of one's own."""
    return own_text(config, batches, step) if step == config.steps - 1 else batches(step)


def _shifted(batch: Batch, windows: NDArray[np.uint8]) -> Batch:
    """The batch with these windows."""
    tokens = windows.astype(np.int64)
    return batch._replace(x=tokens[:, :-1], y=tokens[:, 1:])


def _copied(batch: Batch) -> Batch:
    return batch._replace(x=batch.x.copy(), y=batch.y.copy())
