from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from contracts.protocol.run_config import RunConfig
from tests.holds import Threat, holds
from tests.trainer.conftest import SEED
from tests.trainer.data import corpora
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import InvalidBatchRequest, Share

pytestmark = pytest.mark.unit


@holds(
    "A batch is a function of run, round, node and step",
    by="trainer/data/batches.py:batch_source",
    against=Threat.FALSE_WORK,
)
def test_a_step_does_not_depend_on_the_ones_before(config: RunConfig, corpus: Corpus, batches: BatchSource) -> None:
    in_order = [batches(step) for step in range(6)]
    alone = batch_source(corpus, config, SEED, 3)(5)
    assert np.array_equal(in_order[5][0], alone[0])
    assert np.array_equal(in_order[5][1], alone[1])


def test_y_is_x_one_token_later(batches: BatchSource) -> None:
    x, y, _ = batches(0)
    assert x.shape == y.shape == (2, 16)
    assert x.dtype == y.dtype == np.int64
    assert np.array_equal(x[:, 1:], y[:, :-1])


def test_a_window_is_what_stands_in_its_shard(config: RunConfig) -> None:
    """Tokens of these shards are their places."""
    x, _, _ = batch_source(corpora.corpus(prose=(300, 500)), config, SEED, 1)(0)
    assert np.array_equal(x, x[:, :1] + np.arange(config.context))


def test_batches_are_golden(config: RunConfig, golden: Callable[[str, object], None]) -> None:
    text = corpora.corpus(code=(3000, 70_000), prose=(500_000, 9, 4321))
    mixed = replace(config, mixture="code:1,prose:3")
    found = [batch_source(text, mixed, SEED, 3, Share(1, 3))(step).x[:, 0].tolist() for step in range(config.steps)]
    golden("batches", found)


@pytest.mark.parametrize("step", [-1, 8])
def test_a_step_that_the_round_has_not_is_refused(batches: BatchSource, step: int) -> None:
    with pytest.raises(InvalidBatchRequest, match="of a round of 8"):
        batches(step)
