"""A model is built as its configuration says, and begins with weights that everybody draws alike."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from contracts.protocol.architecture import weight_shapes
from contracts.protocol.run_config import RunConfig
from trainer.model.building import build_model, initial_parameters

pytestmark = pytest.mark.unit
LLAMA = RunConfig(architecture="llama", layers=2, d_model=96, heads=6, kv_heads=2, vocab=512, tied=False)
CONFIGS = [RunConfig(), RunConfig(layers=1, d_model=96, heads=4), LLAMA]
WAYS = pytest.mark.parametrize("config", CONFIGS, ids=["gpt", "another gpt", "llama"])


@WAYS
def test_torch_has_the_weights_that_the_layout_names(config: RunConfig) -> None:
    built = {name: tuple(value.shape) for name, value in build_model(config).named_parameters()}
    assert dict(sorted(built.items())) == weight_shapes(config)


@WAYS
def test_weights_are_drawn_from_the_seed_and_gains_are_one(config: RunConfig) -> None:
    first = initial_parameters(config)
    assert {name: tuple(value.shape) for name, value in first.items()} == weight_shapes(config)
    assert all(torch.equal(value, initial_parameters(config)[name]) for name, value in first.items())
    assert all(bool((value == 1).all()) for name, value in first.items() if "norm" in name)
    assert all(0.001 < float(value.std()) < 0.03 for name, value in first.items() if "norm" not in name)


@WAYS
def test_a_prediction_sees_nothing_of_what_comes_after(config: RunConfig) -> None:
    tokens = torch.randint(0, config.vocab, (2, 16), generator=torch.Generator().manual_seed(3))
    other = tokens.clone()
    other[:, 9:] = (other[:, 9:] + 1) % config.vocab
    model, theta = build_model(config), initial_parameters(config)
    before, after = (functional_call(model, theta, (text,)) for text in (tokens, other))
    assert before.shape == (2, 16, config.vocab)
    assert torch.allclose(before[:, :9], after[:, :9], atol=1e-6)
    assert not torch.allclose(before[:, 9:], after[:, 9:], atol=1e-6)
