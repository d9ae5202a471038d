"""A step in parts: the same step as far as float32 goes, to the bit on a repeat, and in a portable run to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.model.building import build_model
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

pytestmark = pytest.mark.unit
WHOLE = RunConfig(layers=2, d_model=32, heads=2, context=24, batch=6)


def after(config: RunConfig, steps: int = 2) -> TrainState:
    configure_determinism(config.profile)
    state, model = TrainState.joiner(initial_theta(config)), build_model(config)
    for number in range(steps):
        inner_step(config, model, state, drawn_batch(np.random.Philox(key=number), config))
    return state


@pytest.mark.parametrize("architecture", ["gpt", "llama"])
@pytest.mark.parametrize("micro_batch", [1, 2, 3])
def test_parts_add_up_to_the_whole(architecture: str, micro_batch: int) -> None:
    whole = replace(WHOLE, architecture=architecture)
    parts = replace(whole, micro_batch=micro_batch)
    one, other, again = after(whole), after(parts), after(parts)
    for name, value in one.m.items():
        np.testing.assert_allclose(other.m[name], value, rtol=2e-3, atol=2e-7)
    assert state_digest(other.to_tensors()) == state_digest(again.to_tensors())
    assert state_digest(other.to_tensors()) != state_digest(one.to_tensors()), "another order of sums"


def test_as_many_as_the_batch_are_the_whole() -> None:
    found = {state_digest(after(replace(WHOLE, micro_batch=count)).to_tensors()) for count in (0, 6)}
    assert len(found) == 1


def test_a_portable_run_has_the_same_bits_in_parts() -> None:
    portable = replace(WHOLE, profile="portable")
    found = {state_digest(after(replace(portable, micro_batch=count)).to_tensors()) for count in (0, 1, 2, 3)}
    assert len(found) == 1


@pytest.mark.parametrize("count", [4, 7, -1])
def test_parts_divide_the_batch(count: int) -> None:
    with pytest.raises(InvalidRunConfig, match="micro_batch"):
        replace(WHOLE, micro_batch=count)


def test_a_bounded_run_has_none() -> None:
    with pytest.raises(InvalidRunConfig, match="where each node has its own"):
        replace(WHOLE, profile="bounded", limits_digest="ab" * 32, micro_batch=2)
