"""The llama in the portable arithmetic: autograd's gradients, and bits that nothing but the numbers decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.state import TrainState
from trainer.portable import byte_gemm
from trainer.portable.exact_gemm import CHUNK
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.portable.step import portable_gradients
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import NonFiniteLoss, block_share, inner_step

pytestmark = pytest.mark.unit
SMALL = RunConfig(
    architecture="llama", profile="portable", layers=2, d_model=48, heads=6, kv_heads=2, context=19, batch=4
)
FORMS = {
    "tied": SMALL,
    "one head of keys, untied": replace(SMALL, kv_heads=1, tied=False, mlp_width=50),
    "a head of keys each": replace(SMALL, kv_heads=0, rotary_base=500_000, norm_eps="0.001"),
    "documents, odd sizes": replace(SMALL, d_model=90, heads=9, kv_heads=3, context=37, batch=3, document_end=7),
    "8,192 tokens": replace(SMALL, layers=1, d_model=30, heads=3, kv_heads=1, vocab=8192, context=13),
}
GOLDEN = "5f3be345cdc1038f43a12cd88cdebd9d56dc6479d9dcf8f1d1eff6c08d9226f0"
"""The state after two steps of SMALL; a change of it is a change of the portable profile."""


def _start(config: RunConfig) -> tuple[TrainState, np.random.Philox]:
    words = np.random.Philox(key=63)
    return TrainState.joiner(drawn_theta(words, config)), words


def _batch(config: RunConfig, words: np.random.Philox) -> Batch:
    """Drawn tokens of the whole vocabulary, with ends of documents in it."""
    batch = drawn_batch(words, config)
    spread = (batch.x * 97 % config.vocab).astype(np.int64)
    if config.document_end >= 0:
        spread[:, 5::11] = config.document_end
    return Batch(spread, batch.y * 31 % config.vocab, 1.0)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_autograd(form: str) -> None:
    config = FORMS[form]
    state, words = _start(config)
    batch = _batch(config, words)
    theta = {name: value.double() for name, value in state.theta.items()}
    loss, expected = block_share(replace(config, profile="exact"), build_model(config), theta, batch, 0)
    found_loss, found = portable_gradients(config, state.theta, batch)
    assert found_loss == pytest.approx(loss, rel=1e-3)
    for name, value, reference in zip(theta, found, expected, strict=True):
        assert value.dtype == torch.float32
        assert float((value.double() - reference).norm() / reference.norm()) < 0.05, name


@pytest.mark.parametrize("form", FORMS)
def test_neither_parts_nor_order_nor_units_change_a_bit(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = FORMS[form]
    state, words = _start(config)
    batch = _batch(config, words)
    _, whole = portable_gradients(config, state.theta, batch)
    turned = Batch(batch.x[::-1].copy(), batch.y[::-1].copy(), 1.0)
    _, parts = portable_gradients(config, state.theta, turned, micro_batches=config.batch)
    monkeypatch.setattr(byte_gemm, "integer_units", lambda device: False)
    _, floats = portable_gradients(config, state.theta, batch)
    for name, *values in zip(state.theta, whole, parts, floats, strict=True):
        assert len({value.numpy().tobytes() for value in values}) == 1, name


def test_the_heads_of_a_group_are_one_contraction() -> None:
    """Longer than a chunk: what six heads give to one head of keys is cut by positions, on every machine alike."""
    config = replace(SMALL, layers=1, kv_heads=1, context=CHUNK // 6 + 3, batch=2)
    state, words = _start(config)
    batch = _batch(config, words)
    _, whole = portable_gradients(config, state.theta, batch)
    _, parts = portable_gradients(config, state.theta, batch, micro_batches=2)
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_no_gradient_crosses_the_end_of_a_document() -> None:
    """Tokens of a later document get the same gradient after another first document."""
    config = replace(SMALL, document_end=7, batch=1, tied=False)
    state, _ = _start(config)
    tokens = np.arange(20, 20 + config.context)[None]
    tokens[0, 5] = 7
    other = tokens.copy()
    other[0, :5] += 50

    def later(config: RunConfig, x: np.ndarray) -> torch.Tensor:
        gradients = portable_gradients(config, state.theta, Batch(x, tokens + 1, 1.0))[1]
        return dict(zip(state.theta, gradients, strict=True))["model.embed_tokens.weight"][26 : 20 + config.context]

    def distance(config: RunConfig) -> float:
        first, second = (later(config, x) for x in (tokens, other))
        return float((first - second).norm() / first.norm())

    assert distance(config) < 0.02 < 0.1 < distance(replace(config, document_end=-1))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name",
    [
        "lm_head",
        "model.embed_tokens",
        "model.norm",
        "model.layers.0.input_layernorm",
        "model.layers.1.self_attn.q_proj",
        "model.layers.0.self_attn.v_proj",
        "model.layers.0.mlp.gate_proj",
        "model.layers.1.mlp.down_proj",
    ],
)
def test_a_step_that_is_not_finite_leaves_the_state(name: str, value: float) -> None:
    config = replace(SMALL, tied=False)
    state, words = _start(config)
    batch = _batch(config, words)
    state.theta[f"{name}.weight"][batch.x[0, 0] if "embed" in name else 0] = value
    before = state_digest(state.to_tensors())
    with pytest.raises(NonFiniteLoss):
        inner_step(config, build_model(config), state, batch)
    assert state_digest(state.to_tensors()) == before


def test_the_step_is_the_golden_one_and_trains() -> None:
    configure_determinism("portable")
    state, words = _start(SMALL)
    batch = _batch(SMALL, words)
    losses = [inner_step(SMALL, build_model(SMALL), state, batch).loss for _ in range(2)]
    assert losses[1] < losses[0]
    assert state_digest(state.to_tensors()).hex() == GOLDEN
