"""The batch of each step: a function of seed, round, node and step, any step without the ones before."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.protocol.run_config import RunConfig
from contracts.protocol.schedule import rate_share
from trainer.data.corpus import Corpus
from trainer.data.draw import ALONE, InvalidBatchRequest, RoundDraw, Share


class Batch(NamedTuple):
    """What one inner step learns from: x and y, (batch, context) int64 each, y being x one token later; and how much
    of the peak learning rate it takes."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    rate_share: float


BatchSource = Callable[[int], Batch]
"""Step of the round, from 0, to its batch."""


def batch_source(
    corpus: Corpus, config: RunConfig, data_seed: bytes, round_number: int, share: Share = ALONE
) -> BatchSource:
    """The batches of one node in one round. Raises InvalidBatchRequest, and so does a step that the round has not."""
    draw = RoundDraw(corpus, config, data_seed, round_number, share)

    def batch(step: int) -> Batch:
        if not 0 <= step < config.steps:
            raise InvalidBatchRequest(f"step {step} of a round of {config.steps}")
        tokens = _tokens(draw, config, step)
        return Batch(tokens[:, :-1], tokens[:, 1:], rate_share(config, round_number, step))

    return batch


def _tokens(draw: RoundDraw, config: RunConfig, step: int) -> NDArray[np.int64]:
    """(batch, context + 1) tokens."""
    slots = np.arange(step * config.batch, (step + 1) * config.batch, dtype=np.int64)
    tokens = np.empty((config.batch, config.context + 1), dtype=np.int64)
    span = np.arange(config.context + 1)
    for found in draw.windows(slots):
        tokens[found.places] = found.shard.read()[found.starts[:, None] + span]
    return tokens
