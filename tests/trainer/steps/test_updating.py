"""The second half of a step, for all tensors at once or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.model.device import choose_offload, device_of, moments_device_of
from trainer.model.state import TrainState
from trainer.portable.optimizer import adamw as portable_adamw
from trainer.portable.self_check import drawn_theta
from trainer.steps import updating
from trainer.steps.updating import one_by_one

pytestmark = pytest.mark.unit
SMALL = RunConfig(layers=2, d_model=24, heads=2, context=16)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    choose_offload(False)


def stepped(config: RunConfig, offloaded: bool) -> tuple[int, bytes]:
    """After three steps on gradients that are weights of another draw."""
    adamw = portable_adamw if config.profile == "portable" else updating._adamw
    words = np.random.Philox(key=3)
    state = TrainState.joiner(drawn_theta(words, config))
    for _ in range(3):
        gradients = [torch.from_numpy(value) for value in drawn_theta(words, config).values()]
        if offloaded:
            one_by_one(adamw, config, state, gradients, 0.5)
        else:
            adamw(config, state, gradients, 0.5)
    return state.step, state_digest(state.to_tensors())


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_tensor_by_tensor_a_step_has_the_same_bits(profile: str) -> None:
    config = replace(SMALL, profile=profile)
    assert stepped(config, offloaded=True) == stepped(config, offloaded=False)


def test_moments_are_on_the_host_where_it_was_chosen() -> None:
    assert moments_device_of("portable") == device_of("portable")
    choose_offload(True)
    assert moments_device_of("portable") == torch.device("cpu")


def test_a_state_with_moments_elsewhere_is_stepped_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    called = list[float]()
    monkeypatch.setattr(updating, "one_by_one", lambda *given: called.append(given[4]))
    state = TrainState.joiner(drawn_theta(np.random.Philox(key=3), RunConfig()))
    gradients = [torch.empty_like(value, device="meta") for value in state.theta.values()]
    updating.update(RunConfig(), state, gradients, 0.5, 0.25)
    assert called == [0.25]


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_a_part_without_matrices_or_tensors_steps_too(profile: str) -> None:
    config = replace(SMALL, profile=profile)
    gain = {"theta.norm.weight": np.ones(24, np.float32)}
    state, empty = TrainState.joiner(gain), TrainState({}, {}, {}, 4)
    updating.update(config, state, [torch.ones(24)], 1.0, 1.0)
    assert state.theta["norm.weight"].max() < 1.0
    updating.update(config, empty, [], 1.0, 1.0)
    assert empty.step == 5
