"""What is computed twice instead of kept has the same bits, and is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.model.building import build_model, initial_parameters, logits_of, loss_of
from trainer.model.recompute import choose_recompute, is_recomputing
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

pytestmark = pytest.mark.unit
SMALL = RunConfig(layers=4, d_model=32, heads=2, context=24, batch=4)
RUNS = {
    "gpt": replace(SMALL, micro_batch=2),
    "llama": replace(SMALL, architecture="llama", kv_heads=1, document_end=5, tied=False),
    "llama, bf16": replace(SMALL, architecture="llama", precision="bf16", ranks=2),
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    choose_recompute(False)


def after(config: RunConfig, recompute: bool) -> bytes:
    choose_recompute(recompute)
    assert is_recomputing() is recompute
    configure_determinism(config.profile)
    state, model = TrainState.joiner(initial_theta(config)), build_model(config)
    for number in range(2):
        inner_step(config, model, state, drawn_batch(np.random.Philox(key=number), config))
    return state_digest(state.to_tensors())


@pytest.mark.parametrize("config", RUNS.values(), ids=RUNS)
def test_recomputed_blocks_have_the_same_bits(config: RunConfig) -> None:
    assert after(config, recompute=True) == after(config, recompute=False)


def kept_bytes(config: RunConfig, recompute: bool) -> int:
    """Of the numbers that a forward pass keeps for the backward pass, weights not among them."""
    choose_recompute(recompute)
    model = build_model(config).to_empty(device="cpu")
    model.load_state_dict(initial_parameters(config))
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    found = dict[int, int]()

    def keep(value: Tensor) -> Tensor:
        if value.data_ptr() not in weights:
            found[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    batch = drawn_batch(np.random.Philox(key=1), config)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        loss = loss_of(config)(logits_of(config, model, torch.from_numpy(batch.x)), torch.from_numpy(batch.y))
    assert loss.requires_grad
    return sum(found.values())


@pytest.mark.parametrize("architecture", ["gpt", "llama"])
def test_only_the_inputs_of_blocks_are_kept(architecture: str) -> None:
    config = replace(SMALL, architecture=architecture, layers=6)
    kept, less = (kept_bytes(config, recompute) for recompute in (False, True))
    assert less < kept / 3
