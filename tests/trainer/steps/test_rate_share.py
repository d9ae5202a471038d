"""Every arithmetic takes a step at its share of the learning rate, as the run's schedule has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts.protocol.run_config import RunConfig
from contracts.protocol.schedule import rate_share
from tests.trainer.conftest import SEED
from trainer.data.batches import Batch, BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step
from trainer.steps.trajectory import run_inner
from trainer.steps.variants import Variant, computing, step_as

pytestmark = pytest.mark.unit
VARIANTS = [Variant(), Variant(adamw="fused"), Variant(adamw="loop"), Variant(micro_batches=2)]


def same(one: Tensors, other: Tensors) -> bool:
    return all(np.array_equal(value, other[name]) for name, value in one.items())


def halved(config: RunConfig) -> RunConfig:
    """Half of 0.001 is the same float64 in both spellings."""
    return replace(config, inner_lr="0.0005")


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_half_a_share_is_half_the_rate(profile: str, config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    configure_determinism(profile)

    def end(config: RunConfig, batch: Batch) -> Tensors:
        state = TrainState.from_tensors(start, config)
        inner_step(config, build_model(config), state, batch)
        return state.to_tensors()

    config = replace(config, profile=profile)
    half = end(config, batches(0)._replace(rate_share=0.5))
    assert same(half, end(halved(config), batches(0)))
    assert not same(half, end(config, batches(0)))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_halves_it_too(variant: Variant, config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    def end(config: RunConfig, share: float) -> Tensors:
        state = TrainState.from_tensors(start, config)
        with computing(variant):
            step_as(variant, config, build_model(config), state, batches(0)._replace(rate_share=share))
        return state.to_tensors()

    assert same(end(config, 0.5), end(halved(config), 1.0))


@pytest.fixture(params=[{"schedule": "cosine"}, {"schedule": "wsd", "decay_steps": 40}, {}], ids=str)
def scheduled(request: pytest.FixtureRequest, config: RunConfig) -> RunConfig:
    fields: dict[str, Any] = request.param
    return replace(config, warmup_steps=20, rounds=5, **fields)


def test_batches_carry_the_share_of_their_step(scheduled: RunConfig, corpus: Corpus) -> None:
    for number in (1, 3, 5):
        source = batch_source(corpus, scheduled, SEED, number)
        shares = [source(step).rate_share for step in range(scheduled.steps)]
        assert shares == [rate_share(scheduled, number, step) for step in range(scheduled.steps)]
    assert batch_source(corpus, scheduled, SEED, 1)(0).rate_share == 1 / 20


def test_a_node_that_keeps_to_the_peak_commits_to_other_states(
    scheduled: RunConfig, corpus: Corpus, start: Tensors
) -> None:
    source = batch_source(corpus, scheduled, SEED, 1)
    honest = run_inner(scheduled, start, source)
    peak = run_inner(scheduled, start, lambda step: source(step)._replace(rate_share=1.0))
    assert honest.boundary_entries[0] == peak.boundary_entries[0]
    assert all(a != b for a, b in zip(honest.boundary_entries[1:], peak.boundary_entries[1:], strict=True))
