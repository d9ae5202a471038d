from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from contracts.ids import Address, as_address
from contracts.protocol.run_config import RunConfig
from tests.holds import Threat, holds
from tests.trainer.conftest import NODE, SEED
from trainer.data.batches import BatchSource, InvalidBatchRequest, batch_offsets, batch_source
from trainer.data.corpus import Corpus

pytestmark = pytest.mark.unit


@holds(
    "A batch is a function of run, round, node and step",
    by="trainer/data/batches.py:batch_offsets",
    against=Threat.FALSE_WORK,
)
def test_a_step_does_not_depend_on_the_ones_before(config: RunConfig, corpus: Corpus, batches: BatchSource) -> None:
    in_order = [batches(step) for step in range(6)]
    alone = batch_source(corpus.train, config, SEED, 3, NODE)(5)
    assert np.array_equal(in_order[5][0], alone[0])
    assert np.array_equal(in_order[5][1], alone[1])


def test_y_is_x_one_byte_later(batches: BatchSource) -> None:
    x, y, _ = batches(0)
    assert x.shape == y.shape == (2, 16)
    assert np.array_equal(x[:, 1:], y[:, :-1])


def test_every_input_changes_the_draw() -> None:
    draws = [
        batch_offsets(SEED, 0, NODE, 0, 4, 10**6),
        batch_offsets(b"\x08" * 32, 0, NODE, 0, 4, 10**6),
        batch_offsets(SEED, 1, NODE, 0, 4, 10**6),
        batch_offsets(SEED, 0, as_address("0x" + "22" * 20), 0, 4, 10**6),
        batch_offsets(SEED, 0, NODE, 1, 4, 10**6),
    ]
    assert len({tuple(draw) for draw in draws}) == 5


def test_the_spelling_of_the_address_makes_no_difference() -> None:
    assert batch_offsets(SEED, 0, as_address("0x" + "AB" * 20), 0, 4, 99) == batch_offsets(
        SEED, 0, as_address("0x" + "ab" * 20), 0, 4, 99
    )


def test_offsets_are_golden_and_reach_both_ends(golden: Callable[[str, object], None]) -> None:
    golden("batch_offsets", batch_offsets(SEED, 3, NODE, 5, 8, 7_694_098 - 128))
    assert set(batch_offsets(SEED, 0, NODE, 0, 200, 3)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("seed", "round_number", "node", "step", "limit"),
    [
        (b"", 0, NODE, 0, 9),
        (SEED, -1, NODE, 0, 9),
        (SEED, 0, "0x1", 0, 9),
        (SEED, 0, NODE, -1, 9),
        (SEED, 0, NODE, 0, 0),
    ],
)
def test_bad_requests_are_refused(seed: bytes, round_number: int, node: Address, step: int, limit: int) -> None:
    with pytest.raises(InvalidBatchRequest):
        batch_offsets(seed, round_number, node, step, 1, limit)
