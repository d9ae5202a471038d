"""The portable operations: autograd's gradients in float64, and the bits of the example, by no machine's leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import state_digest, unpack
from tests.trainer.model.own.packages import portable_example, written
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.own.errors import InvalidModelPackage
from trainer.model.own.interface import named, own_model
from trainer.model.state import TrainState, layout, start_tensors, theta_of
from trainer.portable import byte_gemm, operations
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.steps.determinism import profile_of
from trainer.steps.evaluate import held_out_loss
from trainer.steps.inner_step import block_share, inner_step
from trainer.steps.trajectory import replay_segment, run_inner

pytestmark = pytest.mark.unit
GOLDEN = "f1f7fab45b46584360ac5c30208a82695bd0a1bae3d2b3b212ad0403b9d76aed"
"""The state after two steps of the example; a change of it is a change of the portable profile."""
SETTINGS = {"width": 16, "heads": 2, "layers": 1}
Operations = Mapping[str, Callable[..., Tensor]]


@pytest.fixture
def config(place: Path) -> RunConfig:
    portable_example(place)
    return named("portable_model", SETTINGS, profile="portable", context=8, batch=4, steps=2, segment=1)


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    return torch.randn(shape, generator=generator)


def rms(x: Tensor, gain: Tensor, epsilon: float = 1e-5) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * gain


def turned(x: Tensor, base: int = 10_000) -> Tensor:
    half = x.shape[-1] // 2
    rates = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rates
    first, second = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def attended(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None = None) -> Tensor:
    groups = q.shape[1] // k.shape[1]
    k, v = (side.repeat_interleave(groups, 1) for side in (k, v))
    out = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu(1) if hidden is None else hidden
    scores = q @ k.mT / q.shape[-1] ** 0.5
    shares: Tensor = scores.masked_fill(out if out.dim() == 2 else out[:, None], -torch.inf).softmax(-1)
    return torch.matmul(shares, v)


def nats(logits: Tensor, targets: Tensor, mask: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    found = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none", label_smoothing=smoothing)
    return found.sum() if mask is None else found[mask.flatten()].sum()


PLAIN: Operations = {
    "linear": lambda x, weight, fine=False: x @ weight.mT,
    "embedding": lambda tokens, weight: weight[tokens],
    "bias": lambda x, weight: x + weight,
    "scale": lambda x, weight: x * weight,
    "rms_norm": rms,
    "layer_norm": lambda x, gain: F.layer_norm(x, gain.shape, gain),
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softmax": lambda x: x.softmax(-1),
    "matmul": torch.matmul,
    "attention": attended,
    "rotary": turned,
    "cross_entropy": nats,
    "total": torch.sum,
}
"""The same operations of torch."""
TARGETS = torch.arange(10).view(2, 5) % 7
HIDDEN = torch.ones(2, 5, 5, dtype=torch.bool).triu(1).index_fill(2, torch.tensor([0]), False)
CASES: Mapping[str, tuple[str, tuple[Tensor, ...], dict[str, Any]]] = {
    "linear": ("linear", (drawn(2, 5, 9), drawn(4, 9)), {}),
    "the output layer": ("linear", (drawn(2, 5, 9), drawn(4, 9)), {"fine": True}),
    "embedding": ("embedding", (TARGETS, drawn(7, 3)), {}),
    "bias": ("bias", (drawn(2, 5, 3), drawn(3)), {}),
    "positions": ("bias", (drawn(2, 5, 3), drawn(5, 3)), {}),
    "scale": ("scale", (drawn(2, 5, 3), drawn(3)), {}),
    "rms norm": ("rms_norm", (drawn(2, 5, 8), drawn(8)), {"epsilon": 1e-3}),
    "layer norm": ("layer_norm", (drawn(2, 5, 8), drawn(8)), {}),
    "gelu": ("gelu", (drawn(2, 5),), {}),
    "silu": ("silu", (drawn(2, 5),), {}),
    "softmax": ("softmax", (drawn(2, 5),), {}),
    "matmul": ("matmul", (drawn(2, 3, 5), drawn(2, 5, 4)), {}),
    "attention": ("attention", (drawn(2, 4, 5, 6), drawn(2, 2, 5, 6), drawn(2, 2, 5, 6)), {}),
    "a mask of one's own": ("attention", (drawn(2, 2, 5, 6),) * 3, {"hidden": HIDDEN}),
    "rotary": ("rotary", (drawn(2, 3, 5, 6),), {"base": 500}),
    "cross-entropy": ("cross_entropy", (drawn(2, 5, 7), TARGETS), {}),
    "of some, smoothed": ("cross_entropy", (drawn(2, 5, 7), TARGETS, TARGETS > 2), {"smoothing": 0.1}),
    "total": ("total", (drawn(2, 5),), {}),
}


LOSSES = {"cross_entropy", "total"}


def as_loss(term: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A sum of losses is float32."""
    return lambda *inputs: term(*inputs).float()


def near(found: Tensor, expected: Tensor) -> bool:
    return bool((found.double() - expected).norm().item() < 0.02 * expected.norm().item() + 1e-6)


@pytest.mark.parametrize("case", CASES)
def test_an_operation_is_that_of_float64(case: str) -> None:
    name, inputs, more = CASES[case]
    low = [value.clone().requires_grad_() if value.is_floating_point() else value for value in inputs]
    high = [value.double().requires_grad_() if value.is_floating_point() else value for value in inputs]
    found, expected = getattr(operations, name)(*low, **more), PLAIN[name](*high, **more)
    assert found.shape == expected.shape
    assert near(found, expected)
    weight = drawn(*found.shape)
    torch.autograd.backward(found, weight)
    torch.autograd.backward(expected, weight.double())
    for value, reference in zip(low, high, strict=True):
        if value.is_floating_point():
            assert value.grad is not None
            assert reference.grad is not None
            assert near(value.grad, reference.grad)


def test_every_operation_is_tried_and_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-model.md").read_text()
    assert {*operations.__all__} == {*PLAIN} == {name for name, _, _ in CASES.values()}
    assert [name for name in operations.__all__ if f"| `{name}(" not in page] == []


def batch_of(config: RunConfig, key: int = 2) -> Batch:
    """Some targets do not count."""
    x, y, share = drawn_batch(np.random.Philox(key=key), config)
    y[0, 2:] = 0
    return Batch(x, y, share)


def start_of(config: RunConfig) -> TrainState:
    return TrainState.joiner(drawn_theta(np.random.Philox(key=65), config))


def test_the_examples_gradients_are_those_of_float64(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    state, batch = start_of(config), batch_of(config)
    found = block_share(config, build_model(config), state.theta, batch, 0)
    package = own_model(config).package
    for module in (package, package.parallel):
        for name in PLAIN.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, as_loss(PLAIN[name]) if name in LOSSES else PLAIN[name])
    theta = {name: value.double() for name, value in state.theta.items()}
    expected = block_share(replace(config, profile="exact"), build_model(config), theta, batch, 0)
    assert found.loss == pytest.approx(expected.loss, rel=1e-3)
    for name, value, reference in zip(theta, found.gradients, expected.gradients, strict=True):
        assert float((value.double() - reference).norm() / reference.norm()) < 0.05, name


@pytest.mark.parametrize(
    "way",
    [{"micro_batches": 2}, {"micro_batches": 4}, {"turned": True}, {"units": False}],
    ids=["halves", "one by one", "turned", "floats"],
)
def test_nothing_but_the_numbers_changes_a_bit(
    config: RunConfig, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedding is used at both ends, and its uses are added in one order."""
    state, batch = start_of(config), batch_of(config)
    whole = block_share(config, build_model(config), state.theta, batch, 0)
    if "units" in way:
        monkeypatch.setattr(byte_gemm, "integer_units", lambda device: False)
    other = Batch(batch.x[::-1].copy(), batch.y[::-1].copy(), 1.0) if "turned" in way else batch
    found = block_share(config, build_model(config), state.theta, other, 0, way.get("micro_batches", 1))
    assert all(torch.equal(a, b) for a, b in zip(whole.gradients, found.gradients, strict=True))
    assert not any(gradient.requires_grad for gradient in found.gradients)


def test_blocks_of_ranks_add_up_to_the_mean(config: RunConfig) -> None:
    state, batch = start_of(config), batch_of(config)
    whole = block_share(config, build_model(config), state.theta, batch, 0)
    ranked = replace(config, ranks=2)
    blocks = [block_share(ranked, build_model(config), state.theta, batch, block) for block in range(2)]
    assert sum(block.loss for block in blocks) == pytest.approx(whole.loss, rel=1e-5)
    for a, b, expected in zip(*(block.gradients for block in blocks), whole.gradients, strict=True):
        assert near(a + b, expected.double())


def test_the_examples_step_is_the_golden_one_and_trains(config: RunConfig) -> None:
    state, batch = start_of(config), batch_of(config)
    model = build_model(config)
    losses = [inner_step(config, model, state, batch).loss for _ in range(2)]
    assert losses[1] < losses[0]
    assert state_digest(state.to_tensors()).hex() == GOLDEN


def test_the_example_is_taken_replayed_and_evaluated(config: RunConfig) -> None:
    """Under a profile of its own, which a vote on a rate does not change."""
    profile = profile_of(config)
    assert profile == profile_of(config.with_decision("inner_lr", "0.003"))
    assert profile != profile_of(RunConfig(profile="portable"))
    start = start_tensors(theta_of(start_of(config).to_tensors()), None)
    done = run_inner(config, start, lambda step: batch_of(config, step))
    middle = unpack(done.packed_state(1), layout(config))
    replayed = replay_segment(config, middle, 1, lambda step: batch_of(config, step))
    assert boundary_entry(replayed) == done.boundary_entries[2]
    assert 5 < held_out_loss(config, start, np.arange(60, dtype=np.uint8), windows=4) < 6


HEAD = """
import torch
from trainer.portable.operations import cross_entropy, embedding, linear, matmul, softmax, bias
PORTABLE = True
class Odd(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(vocab, 8))
        self.vector = torch.nn.Parameter(torch.zeros(8))
    def forward(self, tokens):
        x = bias(embedding(tokens, self.table), self.vector)
        LINE
        return linear(x, self.table, fine=True)
def build(config):
    return Odd(config["vocab"])
"""
ODD = {
    "an operator": ("x = x * torch.sigmoid(x)", r"aten\.sigmoid\.default.*trainer\.portable\.operations"),
    "a product": ("x = torch.nn.functional.linear(x, self.table[:8])", "weight table outside"),
    "a sum behind a broadcast": ("x = x * (x[:, :1] + 1.0)", r"aten\.sum\.dim_IntList.*use bias or scale"),
    "another type": ("x = (x.double() * 0.3).float()", r"aten\.mul\.Tensor"),
    "a fused sum": ("x = torch.add(x, x, alpha=3)", r"aten\.add\.Tensor"),
    "in place": ("x.add_(1.0)", r"aten\.add_"),
    "a number of it": ("x = x * float(x.max().item() > 2)", r"aten\._local_scalar_dense"),
    "a weight as it is": ("x = x + self.vector.view(1, 1, 8).expand(x.shape)", "weight vector outside"),
    "half of a weight": ("x = linear(x, self.table[:8])", "is no parameter of the module"),
    "the batch as a whole": (
        "y = x.flatten(0, 1); x = x + matmul(softmax(matmul(y, y.mT)), y).view(x.shape)",
        "other bits in parts",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_model_of_other_operators_is_refused_by_name(place: Path, kind: str) -> None:
    line, why = ODD[kind]
    written(place, HEAD.replace("LINE", line))
    with pytest.raises(InvalidModelPackage, match=why):
        profile_of(named("odd_model", {}, context=8, profile="portable"))


def test_what_is_allowed_beside_the_operations(place: Path) -> None:
    halves = "torch.cat((x[..., :4], -x[..., 4:]), -1)"
    line = f"x = {halves}.transpose(0, 1).flip(0).transpose(0, 1) * 0.5 + torch.relu(1.0 - x)"
    written(place, HEAD.replace("LINE", line))
    profile_of(named("odd_model", {}, context=8, profile="portable"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD.replace("PORTABLE = True", "").replace("LINE", ""), "does not say PORTABLE = True"),
        (HEAD.replace("LINE", "") + "def loss(logits, targets):\n    return logits.mean()\n", "takes a loss_sum"),
    ],
    ids=["not declared", "a loss of logits"],
)
def test_a_portable_package_says_so(place: Path, text: str, why: str) -> None:
    written(place, text)
    with pytest.raises(InvalidModelPackage, match=why):
        profile_of(named("odd_model", {}, context=8, profile="portable"))
