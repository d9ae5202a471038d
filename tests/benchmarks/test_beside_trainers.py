"""The comparison of trainers, where nothing has to be installed for it: ours and the plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.beside_trainers import WARM, Trained, config_of, labelled, ours, plain, summary
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism

pytestmark = pytest.mark.unit
TINY = replace(
    config_of(WARM + 1), layers=1, d_model=32, heads=2, kv_heads=1, mlp_width=64, context=16, batch=2, segment=2
)


def test_a_plain_loop_has_the_losses_of_our_round() -> None:
    configure_determinism()
    words = np.random.Philox(key=11)
    batches = [drawn_batch(words, TINY) for _ in range(TINY.steps)]
    assert ours(TINY, batches).losses == pytest.approx(plain(TINY, batches).losses, rel=1e-6)
    slower = replace(TINY, inner_lr="0.002")
    assert ours(slower, batches).losses != pytest.approx(plain(TINY, batches).losses, rel=1e-6)


def test_a_window_is_asked_for_as_many_tokens_as_ours() -> None:
    row = labelled(np.array([5, 6, 7]), np.array([6, 7, 8]))
    assert row["input_ids"].tolist() == [5, 6, 7, 8]
    assert row["labels"].tolist() == [-100, 6, 7, 8]


def test_the_medians_of_all_turns_are_compared() -> None:
    losses = [3.0] * (WARM + 10)
    found = {
        "ours": [Trained(seconds, losses) for seconds in (1.0, 2.0, 9.0)],
        "plain PyTorch": [Trained(4.0, [*losses[:-1], 3.5])],
    }
    said = summary(WARM + 10, found)
    assert said["ours"]["tokens a second"] == 10 * 16 * 128 / 2
    assert said["plain PyTorch"]["ours over this"] == 2.0
    assert said["plain PyTorch"]["largest difference of a step's loss"] == 0.5
    assert said["plain PyTorch"]["loss of the last ten steps"] == 3.05
