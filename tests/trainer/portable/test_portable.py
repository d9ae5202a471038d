from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
import torch

import trainer.portable.optimizer as optimizer
import trainer.portable.tables as tables
from benchmarks.portable import differing, matrix_block
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from tests.holds import Threat, holds
from trainer.data.batches import Batch, BatchSource
from trainer.data.corpus import Corpus
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState
from trainer.portable.exact_gemm import (
    CHUNK,
    exact_matmul,
    exact_scatter,
    exact_square_sum,
    exact_sum,
    quantise,
    square_root_,
)
from trainer.portable.optimizer import whole_power
from trainer.portable.self_check import ArithmeticMismatch, check_arithmetic
from trainer.portable.step import portable_gradients
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import MicroBatchesUnsupported, NonFiniteLoss, block_share, inner_step

pytestmark = pytest.mark.unit

FAR_APART = (
    "1 threads, best vectors, stock libraries",
    "2 threads, avx2, stock libraries",
    "1 threads, no vectors, old libraries",
)


GOLDEN = "2d00ce66c8d1c90147950c77e48282353a983a67ca4eb3c635974e243c4c76b6"
"""The state after one step of the tiny run; a change of it is a change of the portable profile."""


@pytest.fixture
def portable(config: RunConfig) -> RunConfig:
    configure_determinism("portable")
    return replace(config, profile="portable")


def _spread(*shape: int) -> torch.Tensor:
    """Values over many magnitudes, with rows that are zero, all peak, and one outlier."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(shape, generator=generator) * torch.exp(4 * torch.randn(shape, generator=generator))
    x[0], x[1] = 0.0, torch.sign(x[1]) * 255.99998
    x[2, 0] = 1e12
    return x


@pytest.mark.parametrize("length", [3, 64, 192, 576, 768, CHUNK])
def test_no_partial_sum_leaves_the_exact_integers(length: int) -> None:
    """Of quantised operands."""
    left, unit = quantise(_spread(5, length), -1)
    right, _ = quantise(_spread(length, 6), -2)
    assert torch.equal(left, left.round())
    assert torch.equal(torch.frexp(unit).mantissa, torch.full_like(unit, 0.5))
    assert int(left.abs().max()) * int(right.abs().max()) * length <= 2**24
    assert left[1].abs().min() > 2**12 / length**0.5 / 2 - 2, "the grid is as fine as the bound lets it be"


def test_exact_products_are_the_integers_products_in_any_order() -> None:
    a, b = _spread(5, 300), _spread(300, 6)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    product = exact_matmul(a, b)
    assert torch.equal(product, exact_matmul(a[:, order], b[order]))
    (qa, ua), (qb, ub) = quantise(a, -1), quantise(b, -2)
    expected = (qa.double() @ qb.double()) * ua.double() * ub.double()
    assert torch.equal(product.double(), expected)


def test_a_contraction_beyond_the_chunk_is_added_in_order() -> None:
    a, b = torch.randn(4, 2 * CHUNK + 7), torch.randn(2 * CHUNK + 7, 3)
    whole = exact_matmul(a, b)
    parts = [exact_matmul(a[:, i : i + CHUNK], b[i : i + CHUNK]) for i in range(0, a.shape[1], CHUNK)]
    assert torch.equal(whole, parts[0] + parts[1] + parts[2])


@pytest.mark.parametrize("length", [5, 700, 3000])
def test_sums_are_exact_on_their_grid_in_any_order(length: int) -> None:
    x = torch.randn(length, 4) * 1e-3
    order = torch.randperm(length)
    assert torch.equal(exact_sum(x, 0), exact_sum(x[order], 0))
    assert torch.equal(exact_square_sum(x, 0), exact_square_sum(x[order], 0))
    rows = torch.arange(length) % 3
    scattered = exact_scatter(x, rows, 5)
    assert torch.equal(scattered, exact_scatter(x[order], rows[order], 5))
    assert not scattered[3:].any()
    grid = float(x.abs().max()) * length**1.5 * 2**-23
    assert torch.allclose(exact_sum(x, 0).double(), x.double().sum(0, keepdim=True), rtol=0, atol=grid)
    assert torch.allclose(scattered.double().sum(0, keepdim=True), x.double().sum(0, keepdim=True), rtol=0, atol=grid)


def test_roots_are_correctly_rounded() -> None:
    """The nearest float to the root of x lies within half a step of it: its neighbours' midpoints square around x."""
    x = torch.cat([_spread(400, 30).abs().flatten(), torch.arange(1.0, 4.0, 2.0**-12)])
    for value, root in zip(x.tolist(), square_root_(x.clone()).tolist(), strict=True):
        below, above = (np.nextafter(np.float32(root), np.float32(end)) for end in (0, np.inf))
        low, high = ((Fraction(root) + Fraction(float(side))) / 2 for side in (below, above))
        assert value == root == 0 or low**2 <= Fraction(value) <= high**2
    doubles = x.double() / 3
    assert square_root_(doubles.clone()).tolist() == [math.sqrt(value) for value in doubles.tolist()]


@holds(
    "A process whose rounding differs from the portable profile computes no portable run",
    by="trainer/portable/self_check.py:check_arithmetic",
    against=Threat.UNLIKE_MACHINES,
)
def test_a_machine_whose_roots_are_off_by_a_bit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(x: torch.Tensor) -> torch.Tensor:
        return torch.nextafter(square_root_(x), torch.tensor(0.0))

    monkeypatch.setattr(optimizer, "square_root_", off)
    check_arithmetic.cache_clear()
    with pytest.raises(ArithmeticMismatch, match="small run on cpu"):
        configure_determinism("portable")
    monkeypatch.undo()
    configure_determinism("portable")


def test_whole_powers_round_each_product() -> None:
    exact = Fraction(0.99) ** 1000
    assert whole_power(0.99, 1000) == pytest.approx(float(exact), rel=1e-14)
    assert [whole_power(0.9, n) for n in range(3)] == [1.0, 0.9, 0.9 * 0.9]


def test_tables_are_the_functions(portable: RunConfig) -> None:
    x = torch.linspace(-10, 10, 3001)
    places = tables.gelu_places(x)
    ramp = x.clone().requires_grad_()
    exact = torch.nn.functional.gelu(ramp, approximate="tanh")
    (slope,) = torch.autograd.grad(exact.sum(), ramp)
    assert torch.allclose(tables.gelu(x, places), exact.detach(), atol=1e-3)
    assert torch.allclose(tables.gelu_slope(places), slope, atol=1e-3)
    assert torch.allclose(tables.exp_negative(x.abs()), torch.exp(-x.abs()), atol=1e-3)
    assert not tables.exp_negative(torch.tensor([16.0, float("inf")])).any()


def test_tables_of_silu_are_the_function(portable: RunConfig) -> None:
    x = torch.linspace(-20, 20, 6001)
    places = tables.silu_places(x)
    ramp = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.silu(ramp).sum(), ramp)
    assert torch.allclose(tables.silu(x, places), torch.nn.functional.silu(x), atol=1e-3)
    assert torch.allclose(tables.silu_slope(places), slope, atol=1e-3)
    far = torch.tensor([-1e6, -16.0, 16.0, 1e6])
    assert tables.silu(far, tables.silu_places(far)).tolist() == [0.0, 0.0, 16.0, 1e6]


def test_tables_hold_the_true_values_rounded(portable: RunConfig) -> None:
    """In decimal arithmetic of 30 digits, which no library's exp or tanh takes part in."""
    with localcontext() as context:
        context.prec = 30
        slope = (2 / Decimal("3.14159265358979323846264338328")).sqrt()
        for index in range(0, 2 * 8 * 1024 - 1, 37):
            x = Decimal(index - 8 * 1024) / 1024
            odds = (2 * slope * (x + Decimal("0.044715") * x**3)).exp()
            assert tables._table("gelu")[index].item() * 2**23 == round(odds / (odds + 1) * 2**23)
            share = 1 / (1 + (-2 * x).exp())
            steps_of_silu = 2 * index  # at 2 x
            assert tables._table("silu")[steps_of_silu].item() * 2**23 == round(share * 2**23) or not index
            tilt = share * (1 + 2 * x * (1 - share))
            assert tables._table("silu slope")[steps_of_silu].item() * 2**23 == round(tilt * 2**23) or not index
            assert tables._table("exp")[index].item() * 2**23 == round((-Decimal(index) / 1024).exp() * 2**23)


def test_a_library_that_rounds_a_table_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    values = tables._values
    monkeypatch.setattr(tables, "_values", lambda name: values(name) + 2.0**-23 * (values(name) == 0.5))
    tables._table.cache_clear()
    with pytest.raises(tables.TableMismatch, match="gelu"):
        configure_determinism("portable")
    monkeypatch.undo()
    tables._table.cache_clear()
    configure_determinism("portable")


def test_gradients_are_those_of_the_model(portable: RunConfig, start: Tensors, batches: BatchSource) -> None:
    state = TrainState.from_tensors(start, portable)
    theta = {name: value.double() for name, value in state.theta.items()}
    exact = replace(portable, profile="exact")
    loss, expected = block_share(exact, build_model(exact), theta, batches(0), 0)
    found_loss, found = portable_gradients(portable, state.theta, batches(0))
    assert found_loss == pytest.approx(loss, rel=1e-3)
    for name, value, reference in zip(theta, found, expected, strict=True):
        assert value.dtype == torch.float32
        assert float((value.double() - reference).norm() / reference.norm()) < 0.05, name


def test_micro_batches_and_the_order_of_samples_change_no_bit(
    portable: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    def ends(change: Callable[[Batch], Batch], micro_batches: int) -> bytes:
        state = TrainState.from_tensors(start, portable)
        for step in range(4):
            inner_step(portable, build_model(portable), state, change(batches(step)), micro_batches)
        return state_digest(state.to_tensors())

    whole = ends(lambda batch: batch, 1)
    assert whole == ends(lambda batch: batch, 2)
    assert whole == ends(lambda batch: Batch(batch.x[::-1].copy(), batch.y[::-1].copy(), 1.0), 1)
    assert whole != ends(lambda batch: Batch(batch.x, batch.y ^ 1, 1.0), 1)


def test_the_order_of_samples_changes_no_bit(portable: RunConfig, start: Tensors) -> None:
    """Also beyond one exact contraction."""
    text = np.random.default_rng(1).integers(0, 256, (CHUNK // portable.context + 9, portable.context + 1))
    theta = TrainState.from_tensors(start, portable).theta
    x, y = text[:, :-1], text[:, 1:]
    _, gradients = portable_gradients(portable, theta, Batch(x, y, 1.0))
    _, others = portable_gradients(portable, theta, Batch(x[::-1].copy(), y[::-1].copy(), 1.0), micro_batches=3)
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))


def test_no_process_setting_changes_the_portable_state(config: RunConfig, corpus: Corpus) -> None:
    """Each changes the float32 one."""
    found = matrix_block(replace(config, profile="portable"), corpus.sources[0].shards[0].read(), 4, FAR_APART)
    assert differing(found) == 0
    floats = matrix_block(config, corpus.sources[0].shards[0].read(), 1, FAR_APART[1:])
    assert differing(floats) == 1, "the settings are far enough apart to tell"


def test_the_portable_profile_is_one_for_every_machine() -> None:
    threads = torch.get_num_threads()
    profile = configure_determinism("portable")
    assert profile.dtype == "portable"
    torch.set_num_threads(2)
    assert configure_determinism("portable").digest() == profile.digest()
    assert torch.get_num_threads() == 2
    assert configure_determinism("exact").digest() != profile.digest()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name", ["tokens", "positions", "norm", "blocks.0.attention.qkv", "blocks.0.up", "blocks.0.down", "blocks.0.norm1"]
)
def test_a_step_that_is_not_finite_leaves_the_state(
    name: str, value: float, portable: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    state = TrainState.from_tensors(start, portable)
    state.theta[f"{name}.weight"].flatten()[0] = value
    before = state_digest(state.to_tensors())
    with pytest.raises(NonFiniteLoss):
        inner_step(portable, build_model(portable), state, batches(0))
    assert state_digest(state.to_tensors()) == before


def test_float32_does_not_cut_its_batch(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    state = TrainState.from_tensors(start, config)
    with pytest.raises(MicroBatchesUnsupported):
        inner_step(config, build_model(config), state, batches(0), micro_batches=2)


def test_the_portable_step_is_the_golden_one(portable: RunConfig, start: Tensors, batches: BatchSource) -> None:
    """On weights that do not come from a library's random numbers."""
    rng = np.random.Philox(key=5)
    even = {
        name: value if value.ndim < 2 else _even(rng, value.shape) for name, value in start.items() if "theta" in name
    }
    state = TrainState.joiner(even)
    inner_step(portable, build_model(portable), state, batches(0))
    assert state_digest(state.to_tensors()).hex() == GOLDEN


def _even(rng: np.random.Philox, shape: tuple[int, ...]) -> np.ndarray:
    words = rng.random_raw(int(np.prod(shape))) >> 40  # 24 bits
    return ((words.astype(np.float64) / 2**24 - 0.5) * 0.07).astype(np.float32).reshape(shape)
