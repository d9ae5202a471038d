"""Steps on a model that is bound to its state have the bits of a functional call on fresh leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from tests.holds import Threat, holds
from trainer.data.batches import Batch
from trainer.model.binding import bind
from trainer.model.building import build_model, loss_of
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps import inner_step as stepping
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import NonFiniteLoss, Share, inner_step

pytestmark = pytest.mark.unit
SMALL = RunConfig(layers=2, d_model=32, heads=2, context=24, batch=6)
RUNS = {
    "gpt": SMALL,
    "gpt in parts": replace(SMALL, micro_batch=2),
    "llama": replace(SMALL, architecture="llama", kv_heads=1),
    "llama, not tied, in parts": replace(SMALL, architecture="llama", tied=False, micro_batch=3),
}


def functional_share(config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch, rows: slice) -> Share:
    """As steps computed it until parameters were bound."""
    weights = {name: value.detach().requires_grad_() for name, value in theta.items()}
    block, whole = (batch.x[rows], batch.y[rows]), len(batch.x)
    losses, total, at = list[float](), list[Tensor](), config.micro_batch or len(block[0])
    for first in range(0, len(block[0]), at):
        x, y = (torch.from_numpy(side[first : first + at]) for side in block)
        loss = loss_of(config)(functional_call(model, weights, (x,)), y)
        loss = loss * (len(x) / whole) if len(x) < whole else loss
        found = torch.autograd.grad(loss, list(weights.values()))
        total = [a + b for a, b in zip(total, found, strict=True)] if total else list(found)
        losses.append(loss.item())
    return Share(sum(losses), total)


def after(config: RunConfig, steps: int = 3) -> tuple[list[float], bytes]:
    configure_determinism(config.profile)
    state, model = TrainState.joiner(initial_theta(config)), build_model(config)
    words = np.random.Philox(key=60)
    results = [inner_step(config, model, state, drawn_batch(words, config)) for _ in range(steps)]
    return [number for result in results for number in result], state_digest(state.to_tensors())


@holds(
    "A model that is bound to its state has the bits of one that is called with it",
    by="trainer/model/binding.py:bind",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.parametrize("config", RUNS.values(), ids=RUNS)
def test_bound_steps_have_the_bits_of_functional_calls(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = after(config)
    monkeypatch.setattr(stepping, "_autograd_share", functional_share)
    assert after(config) == bound


class Tied(nn.Module):
    """One matrix under two names, as a package may have it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 4, device="meta")
        self.out = nn.Linear(4, 8, bias=False, device="meta")
        self.out.weight = self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.out(self.table(tokens))
        return out


def test_a_tied_weight_is_one_parameter_with_one_gradient() -> None:
    model, theta = Tied(), {"table.weight": torch.arange(32.0).view(8, 4) / 32}
    (leaf,) = bind(model, theta)
    assert model.table.weight is model.out.weight is leaf
    tokens = torch.tensor([[1, 2, 3]])
    model(tokens).square().sum().backward()
    fresh = theta["table.weight"].clone().requires_grad_()
    (expected,) = torch.autograd.grad(functional_call(Tied(), {"table.weight": fresh}, (tokens,)).square().sum(), fresh)
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, expected)


def test_a_state_with_other_tensors_is_bound_anew() -> None:
    model = Tied()
    first, second = ({"table.weight": torch.full((8, 4), value)} for value in (1.0, 2.0))
    (leaf,) = bind(model, first)
    assert bind(model, first)[0] is leaf
    first["table.weight"].add_(4.0)
    assert leaf[0, 0].item() == 5.0, "what is written into the state is what the model has"
    assert bind(model, second)[0][0, 0].item() == 2.0
    first["table.weight"] = torch.full((8, 4), 7.0)
    assert bind(model, first)[0][0, 0].item() == 7.0


def test_a_step_without_a_number_leaves_nothing_behind() -> None:
    configure_determinism("exact")
    state, model = TrainState.joiner(initial_theta(SMALL)), build_model(SMALL)
    words = np.random.Philox(key=60)
    inner_step(SMALL, model, state, drawn_batch(words, SMALL))
    state.theta["norm.weight"].fill_(float("nan"))
    before, batch = state_digest(state.to_tensors()), drawn_batch(words, SMALL)
    with pytest.raises(NonFiniteLoss):
        inner_step(SMALL, model, state, batch)
    assert state_digest(state.to_tensors()) == before
    assert all(parameter.grad is None for parameter in model.parameters())
