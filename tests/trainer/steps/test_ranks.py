"""A batch in blocks: each computed by itself, added in their order, whoever computes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps import inner_step as stepping
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import Share, block_share, inner_step
from trainer.steps.updating import tensor_norms

pytestmark = pytest.mark.unit
WHOLE = RunConfig(layers=1, d_model=32, heads=2, context=24, batch=8)
RUNS = {
    "gpt": replace(WHOLE, ranks=4),
    "llama in parts": replace(WHOLE, architecture="llama", kv_heads=1, ranks=2, micro_batch=2),
    "portable in parts": replace(WHOLE, profile="portable", ranks=4, micro_batch=1),
    "bf16": replace(WHOLE, architecture="llama", ranks=2, precision="bf16"),
}


def batch_of(config: RunConfig, number: int = 0) -> Batch:
    return drawn_batch(np.random.Philox(key=number), config)


def after(config: RunConfig, steps: int = 2) -> bytes:
    configure_determinism(config.profile)
    state, model = TrainState.joiner(initial_theta(config)), build_model(config)
    for number in range(steps):
        inner_step(config, model, state, batch_of(config, number))
    return state_digest(state.to_tensors())


def shares(config: RunConfig, batch: Batch) -> list[list[Tensor]]:
    """Each as a process of its own has it: with a model and a state that did nothing before."""
    configure_determinism(config.profile)
    states = [TrainState.joiner(initial_theta(config)) for _ in range(config.ranks)]
    found = [block_share(config, build_model(config), state.theta, batch, rank) for rank, state in enumerate(states)]
    return [share.gradients for share in found]


@pytest.mark.parametrize("config", RUNS.values(), ids=RUNS)
def test_a_step_adds_its_blocks_in_rank_order(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = shares(config, batch_of(config))
    in_order = parts[0]
    for part in parts[1:]:
        in_order = [a + b for a, b in zip(in_order, part, strict=True)]
    kept = list[list[Tensor]]()

    def noted(run: RunConfig, gradients: list[Tensor]) -> Tensor:
        kept.append([value.clone() for value in gradients])
        return tensor_norms(run, gradients)

    monkeypatch.setattr(stepping, "tensor_norms", noted)
    after(config, steps=1)
    assert all(torch.equal(a, b) for a, b in zip(kept[0], in_order, strict=True))


@pytest.mark.parametrize("config", [RUNS["gpt"], RUNS["portable in parts"]], ids=["exact", "portable"])
def test_another_order_of_blocks_is_another_step(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Portable sums are free of order within a block; between blocks they are float32 sums, and have one."""
    honest, added = after(config), stepping._added

    def backwards(blocks: object) -> Share:
        return added(list(blocks)[::-1])  # type: ignore[call-overload]

    monkeypatch.setattr(stepping, "_added", backwards)
    assert after(config) != honest


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_a_run_in_blocks_is_another_run(profile: str) -> None:
    whole = replace(WHOLE, profile=profile)
    assert len({after(replace(whole, ranks=ranks)) for ranks in (1, 2, 4)}) == 3


def test_a_portable_block_has_the_same_bits_in_any_order() -> None:
    config = replace(WHOLE, profile="portable", ranks=2)
    batch = batch_of(config)
    turned = Batch(*(np.concatenate([side[3::-1], side[:3:-1]]) for side in (batch.x, batch.y)), batch.rate_share)  # type: ignore[call-arg, arg-type]
    for first, second in zip(shares(config, batch), shares(replace(config, micro_batch=2), turned), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("ranks", {"ranks": 3}),
        ("ranks", {"ranks": 0}),
        ("micro_batch", {"ranks": 4, "micro_batch": 4}),
        ("ranks", {"ranks": 2, "profile": "bounded", "limits_digest": "ab" * 32}),
        ("precision", {"precision": "fp16"}),
        ("precision", {"precision": "bf16", "profile": "portable"}),
    ],
)
def test_blocks_divide_the_batch_and_parts_the_block(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRunConfig) as refused:
        replace(WHOLE, **changes)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_a_run_without_them_has_the_text_of_before() -> None:
    told = WHOLE.to_json()
    assert "ranks" not in told
    assert "precision" not in told
    one = RUNS["bf16"]
    assert '"precision":"bf16"' in one.to_json()
    assert RunConfig.from_json(one.to_json()) == one
    assert RunConfig.from_json(told) == WHOLE
