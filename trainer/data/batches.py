"""The batch of each step: a function of seed, round, node and step, any step without the ones before."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
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


_TOKENS_AHEAD = 2**16
"""Tokens that are read at once, of several steps where these are small: drawing takes as long for a few windows."""

BatchSource = Callable[[int], Batch]
"""Step of the round, from 0, to its batch."""


def batch_source(
    corpus: Corpus, config: RunConfig, data_seed: bytes, round_number: int, share: Share = ALONE
) -> BatchSource:
    """The batches of one node in one round. Raises InvalidBatchRequest, and so does a step that the round has not."""
    draw = RoundDraw(corpus, config, data_seed, round_number, share)
    ahead = max(1, _TOKENS_AHEAD // (config.batch * (config.context + 1)))

    @lru_cache(maxsize=2)
    def some(first: int) -> NDArray[np.int64]:
        return _tokens(draw, config, first, min(first + ahead, config.steps))

    def batch(step: int) -> Batch:
        if not 0 <= step < config.steps:
            raise InvalidBatchRequest(f"step {step} of a round of {config.steps}")
        tokens = some(step - step % ahead)[step % ahead]
        return Batch(tokens[:, :-1], tokens[:, 1:], rate_share(config, round_number, step))

    return batch


def _tokens(draw: RoundDraw, config: RunConfig, first: int, last: int) -> NDArray[np.int64]:
    """(last - first, batch, context + 1) tokens of these steps, `last` not among them."""
    slots = np.arange(first * config.batch, last * config.batch, dtype=np.int64)
    tokens = np.empty((len(slots), config.context + 1), dtype=np.int64)
    span = np.arange(config.context + 1)
    for found in draw.windows(slots):
        tokens[found.places] = found.shard.read()[found.starts[:, None] + span]
    return tokens.reshape(last - first, config.batch, config.context + 1)
