"""A package's own sum of losses: parts add up to the batch, held-out text is judged by it, and odd sums are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from tests.trainer.model.own.packages import PLAIN, written
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.own.errors import InvalidModelPackage
from trainer.model.own.interface import named
from trainer.model.state import TrainState, initial_theta, start_tensors
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import profile_of
from trainer.steps.evaluate import held_out_loss
from trainer.steps.inner_step import block_share, inner_step
from trainer.steps.trajectory import replay_segment, run_inner
from verifier.replay.combining import _scaled

pytestmark = pytest.mark.unit

EXPERTS = """
import torch
from torch.nn import functional as F

class Experts(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.tables = torch.nn.Parameter(torch.zeros(2, vocab, vocab))
        self.router = torch.nn.Parameter(torch.zeros(vocab, 2))
    def forward(self, tokens):
        gates = torch.softmax(self.router[tokens], -1)
        experts = torch.stack([F.embedding(tokens, table) for table in self.tables], -1)
        return (experts * gates.unsqueeze(-2)).sum(-1), gates

def build(config):
    return Experts(config["vocab"])

def mask(tokens, targets):
    return targets < 100

def loss_sum(model, tokens, targets, mask):
    logits, gates = model(tokens)
    nats = F.cross_entropy(logits[mask], targets[mask], reduction="sum")
    return nats + 0.3 * gates[mask].square().sum() if model.training else nats
"""
FORWARD = "    return nats + 0.3 * gates[mask].square().sum() if model.training else nats\n"


def experts(place: Path, text: str = EXPERTS, **fields: object) -> RunConfig:
    written(place, text)
    return named("odd_model", {}, **{"context": 8, "batch": 4, **fields})


def uneven(config: RunConfig) -> Batch:
    """The first sequence has one target that counts, the last has all."""
    x, y, share = drawn_batch(np.random.Philox(key=3), config)
    y[0, 1:], y[0, 0], y[3] = 200, 5, y[3] % 100
    return Batch(x, y, share)


def by_hand(theta: Mapping[str, Tensor], batch: Batch, penalty: float) -> Tensor:
    """The mean over the targets that count, in float64."""
    x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
    gates = torch.softmax(theta["router"][x], -1)
    logits = (theta["tables"][0][x] * gates[..., :1]) + (theta["tables"][1][x] * gates[..., 1:])
    nats = torch.logsumexp(logits, -1) - logits.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    return (nats + penalty * gates.square().sum(-1))[y < 100].mean()


@pytest.mark.parametrize(("micro_batch", "ranks"), [(0, 1), (1, 1), (2, 1), (1, 2)])
def test_parts_add_up_whatever_counts_in_them(place: Path, micro_batch: int, ranks: int) -> None:
    config = experts(place, micro_batch=micro_batch, ranks=ranks)
    batch, state = uneven(config), TrainState.joiner(initial_theta(config))
    theta = {name: value.double().requires_grad_() for name, value in state.theta.items()}
    loss = by_hand(theta, batch, 0.3)
    expected = torch.autograd.grad(loss, list(theta.values()))
    shares = [block_share(config, build_model(config), state.theta, batch, block) for block in range(ranks)]
    assert sum(share.loss for share in shares) == pytest.approx(loss.item(), rel=1e-6)
    for index, gradient in enumerate(expected):
        found = sum(share.gradients[index].double() for share in shares)
        assert torch.allclose(found, gradient, rtol=1e-4, atol=1e-9)  # type: ignore[arg-type]


def test_a_batch_in_which_nothing_counts_moves_nothing(place: Path) -> None:
    config = experts(place, EXPERTS.replace("0.3 *", "0.0 *"), weight_decay="0")
    state, batch = TrainState.joiner(initial_theta(config)), uneven(config)
    before = {name: value.clone() for name, value in state.theta.items()}
    assert inner_step(config, build_model(config), state, Batch(batch.x, batch.y * 0 + 200, 1.0)).loss == 0
    assert all(torch.equal(value, before[name]) for name, value in state.theta.items())


def test_a_replay_of_it_has_the_same_bits(place: Path) -> None:
    config = experts(place, steps=4, segment=2, micro_batch=1)
    profile_of(config)
    start = start_tensors(initial_theta(config), None)

    def batches(step: int) -> Batch:
        return drawn_batch(np.random.Philox(key=step), config)

    done = run_inner(config, start, batches)
    assert boundary_entry(replay_segment(config, start, 0, batches)) == done.boundary_entries[1]


def test_held_out_text_is_judged_by_the_packages_loss(place: Path) -> None:
    """Without the term that only training has, and over the targets that count."""
    config = experts(place)
    theta = initial_theta(config)
    text = np.arange(400, dtype=np.uint8)
    windows = np.stack([text[start : start + 9] for start in range(0, 300, 50)]).astype(np.int64)
    found = held_out_loss(config, theta, text[: 250 + 9], windows=6)
    weights = {name.removeprefix("theta."): torch.tensor(value).double() for name, value in theta.items()}
    expected = by_hand(weights, Batch(windows[:, :-1], windows[:, 1:], 1.0), 0.0)
    assert found == pytest.approx(expected.item(), rel=1e-6)


def test_a_held_out_loss_below_zero_is_told_as_zero() -> None:
    assert [_scaled(loss) for loss in (-3.0, 0.25, float("-inf"))] == [0, 250_000_000, 2**63 - 1]


def test_a_package_has_one_loss(place: Path) -> None:
    with pytest.raises(InvalidModelPackage, match="both loss and loss_sum"):
        experts(place, EXPERTS + "loss = loss_sum\n")


def test_a_mask_without_a_sum_is_refused(place: Path) -> None:
    with pytest.raises(InvalidModelPackage, match="no loss_sum"):
        experts(place, PLAIN + "def mask(tokens, targets):\n    return targets > 3\n")


ODD = {
    "a mean of two": ("    return torch.stack([nats, nats])\n", r"float32, but torch.float32 of \(2,\)"),
    "double": ("    return nats.double()\n", "no single float32, but torch.float64"),
    "a number": ("    return nats.item()\n", "but float"),
    "no number": ("    return nats * float('inf')\n", "begins with inf"),
    "no number in training": ("    return nats * float('nan') if model.training else nats\n", "begins with no number"),
    "of no weight": ("    return torch.zeros(())\n", "does not require grad"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_loss_that_is_no_finite_number_is_refused(place: Path, kind: str) -> None:
    end, why = ODD[kind]
    with pytest.raises(InvalidModelPackage, match=why):
        profile_of(experts(place, EXPERTS.replace(FORWARD, end)))


def test_a_mask_is_of_the_targets(place: Path) -> None:
    config = experts(place, EXPERTS.replace("targets < 100", "(targets < 100)[:, 1:]"))
    with pytest.raises(InvalidModelPackage, match=r"mask of odd_model is no bool of \(2, 8\)"):
        profile_of(config)


def test_bf16_is_computed_and_the_sum_is_float32(place: Path) -> None:
    config = experts(place, precision="bf16")
    assert profile_of(config) != profile_of(replace(config, precision="float32"))
