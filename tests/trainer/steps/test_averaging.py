"""Averages that a few bad pseudo-gradients move little, with the same bits on every machine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.protocol.run_config import RunConfig
from tests.trainer.conftest import SEED
from trainer.cheats.data import fed, own_text
from trainer.data.batches import batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share
from trainer.model.state import Tensors, initial_theta, start_tensors
from trainer.steps.averaging import Weights, averaged, norm
from trainer.steps.determinism import configure_determinism
from trainer.steps.evaluate import held_out_loss
from trainer.steps.outer import merge, zero_momentum
from trainer.steps.trajectory import run_inner

pytestmark = pytest.mark.unit
RULES = ("mean", "clip", "trimmed", "median")
NUMBERS = st.floats(-1e6, 1e6, width=32)


def of(*rows: list[float]) -> list[Weights]:
    return [{"w": np.array(row, np.float32)} for row in rows]


def by(rule: str, gradients: list[Weights]) -> list[float]:
    ((_, value),) = averaged(rule, gradients)
    found: list[float] = value.tolist()
    return found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("mean", [22.0, -0.4]), ("trimmed", [3.0, 0.0]), ("median", [3.0, 0.0])],
)
def test_five_nodes_by_hand(rule: str, expected: list[float]) -> None:
    rows = [[1.0, 0.0], [2.0, 5.0], [3.0, -7.0], [4.0, 0.0], [100.0, 0.0]]
    assert by(rule, of(*rows)) == pytest.approx(expected)


def test_an_even_number_has_the_mean_of_two_in_the_middle() -> None:
    assert by("median", of([1.0], [2.0], [4.0], [100.0])) == [3.0]
    assert by("trimmed", of([1.0], [2.0], [4.0], [100.0])) == [3.0]


def test_long_ones_are_shortened_to_the_median_of_the_norms() -> None:
    assert by("clip", of([3.0, 4.0], [0.0, 5.0], [600.0, 800.0])) == pytest.approx([2.0, 13 / 3])
    assert by("clip", of([3.0, 4.0], [600.0, 800.0])) == pytest.approx([3.0, 4.0]), "the lower of two"
    assert by("clip", of([0.0, 0.0], [0.0, 0.0], [1.0, 1.0])) == [0.0, 0.0]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_equal_ones_are_their_own_average(rule: str, count: int) -> None:
    value = np.random.default_rng(1).standard_normal(500).astype(np.float32)
    ((_, found),) = averaged(rule, [{"w": value}] * count)
    np.testing.assert_allclose(found, value, rtol=1e-6)


@pytest.mark.parametrize("rule", ["trimmed", "median"])
@given(rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=7), data=st.data())
def test_no_order_of_nodes_changes_a_bit(rule: str, rows: list[list[float]], data: st.DataObject) -> None:
    other = data.draw(st.permutations(rows))
    assert np.array(by(rule, of(*rows)), np.float32).tobytes() == np.array(by(rule, of(*other)), np.float32).tobytes()


@pytest.mark.parametrize("rule", ["trimmed", "median"])
def test_a_zero_has_no_sign(rule: str) -> None:
    """Equals have no order, so that one of them could come with either sign."""
    ((_, found),) = averaged(rule, of([-0.0], [0.0], [-0.0]))
    assert math.copysign(1.0, float(found[0])) == 1.0


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_a_norm_is_near_the_real_one(values: list[float]) -> None:
    exact = math.sqrt(math.fsum(value * value for value in values))
    assert norm({"w": np.array(values, np.float32)}) == pytest.approx(exact, rel=1e-5, abs=1e-30)


def test_a_norm_does_not_depend_on_how_tensors_are_cut() -> None:
    values = np.random.default_rng(2).standard_normal(3 * 2**20 + 5).astype(np.float32)
    whole = norm({"w": values})
    assert whole == norm({"a": values[:77], "b": values[77:]}) == norm({"w": values[::-1].copy()})


@pytest.fixture
def nodes(config: RunConfig, corpus: Corpus) -> tuple[Tensors, list[Tensors]]:
    """Start, and the pseudo-gradients of five nodes, of whom one trained on a text of its own at fifty times the rate.

    Each is what an inner run gives: nothing is made up.
    """
    configure_determinism("exact")
    config = replace(config, steps=30, segment=30, inner_lr="0.003")
    theta = initial_theta(config)
    start = start_tensors(theta, None)
    ends = [run_inner(config, start, batch_source(corpus, config, SEED, 1, Share(place, 5))) for place in range(4)]
    loud = replace(config, inner_lr="0.15", clip="1000")
    ends.append(fed(own_text)(loud, start, batch_source(corpus, loud, SEED, 1, Share(4, 5)), lambda *_: None, None))
    return theta, [end.pseudo_gradient for end in ends]


def test_computed_poison_moves_the_mean_and_no_other_rule(
    config: RunConfig, corpus: Corpus, nodes: tuple[Tensors, list[Tensors]]
) -> None:
    theta, gradients = nodes
    losses = {}
    for rule in RULES:
        merged, _ = merge(theta, zero_momentum(theta), gradients, 0.7, 0.9, rule)
        losses[rule] = held_out_loss(config, merged, corpus.held_out())
    merged, _ = merge(theta, zero_momentum(theta), gradients[:4], 0.7, 0.9)
    clean, before = held_out_loss(config, merged, corpus.held_out()), held_out_loss(config, theta, corpus.held_out())
    assert clean < before
    lost = {rule: (loss - clean) / (before - clean) for rule, loss in losses.items()}
    assert lost["mean"] > 0.4, "of what the round learns without it"
    assert max(lost[rule] for rule in ("clip", "trimmed", "median")) < 0.15
