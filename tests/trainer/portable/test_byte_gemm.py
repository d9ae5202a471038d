"""Products of bytes: the same bits on integer units and in float32, and a process that finds out which it has."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import trainer.portable.byte_check as byte_check
import trainer.portable.byte_gemm as byte_gemm
from tests.holds import Threat, holds
from trainer.portable.byte_check import exact_bytes
from trainer.portable.byte_gemm import LARGEST, columns, product, rows
from trainer.portable.exact_gemm import CHUNK

pytestmark = pytest.mark.unit
SHAPES = [(1, 1, 1), (5, 300, 6), (33, 65, 17), (64, CHUNK, 9), (7, 2 * CHUNK + 3, 40)]
_FOUND = """
import json, torch
from trainer.portable.byte_check import exact_bytes, integer_units
from trainer.portable.self_check import small_run
device = torch.device("cpu")
print(json.dumps([exact_bytes(), integer_units(device), small_run(device)]))
"""


def _on(units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_gemm, "integer_units", lambda device: units)


def _operands(m: int, k: int, n: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Over many magnitudes; all peak, where sums are largest; and zeros of both signs."""
    noise = torch.Generator().manual_seed(3)
    wild = [torch.randn(s, generator=noise) * torch.exp(4 * torch.randn(s, generator=noise)) for s in ((m, k), (k, n))]
    yield wild[0], wild[1]
    yield torch.full((m, k), -3.3), torch.full((k, n), 1e-9)
    yield torch.full((m, k), -0.0), wild[1].abs()
    yield wild[0].T.contiguous().T, wild[1].T.contiguous().T


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_units_give_the_same_bits(
    shape: tuple[int, int, int], slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for left, right in _operands(*shape):
        found = []
        for units in (True, False):
            _on(units, monkeypatch)
            operand = rows(left, slices)
            assert operand[0][0].whole.dtype == (torch.int8 if units else torch.float32)
            found.append(product(operand, columns(right)).view(torch.int32))
        assert not exact_bytes() or torch.equal(*found)


@pytest.mark.parametrize("units", [True, False])
def test_a_product_is_that_of_the_integers(units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _on(units and exact_bytes(), monkeypatch)
    left, right = next(_operands(9, 700, 11))
    ((a,),), ((b,),) = rows(left), columns(right)
    whole = a.whole.double() @ b.whole.double()
    assert int(whole.abs().max()) < 2**24
    assert torch.equal(product([[a]], [[b]]), whole.float() * a.unit * b.unit)


def test_every_bit_of_a_byte_is_used_and_no_more() -> None:
    left, _ = next(_operands(200, 50, 1))
    ((found,),) = rows(left)
    assert torch.equal(found.whole.float().abs().amax(1), torch.full((200,), LARGEST))
    assert torch.allclose(found.whole.float() * found.unit, left, rtol=0, atol=float(found.unit.max()))
    errors = (found.whole.float() * found.unit - left).abs() / found.unit
    assert float(errors.max()) < 0.50002


def test_chunks_have_units_of_their_own_and_are_added_in_order() -> None:
    left, right = next(_operands(4, 2 * CHUNK + 7, 3))
    parts = [
        product(rows(left[:, i : i + CHUNK]), columns(right[i : i + CHUNK])) for i in range(0, left.shape[1], CHUNK)
    ]
    assert torch.equal(product(rows(left), columns(right)), parts[0] + parts[1] + parts[2])


def test_a_second_slice_keeps_what_rounding_left() -> None:
    left, right = torch.randn(8, 256), (50 * torch.randn(256, 16)).round().clamp(-127, 127)
    right[0] = 127.0  # on its grid already
    truth = left.double() @ right.double()
    errors = [float((product(rows(left, n), columns(right)).double() - truth).norm() / truth.norm()) for n in (1, 2)]
    assert errors[1] < 1e-4 < 2e-3 < errors[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("units", [True, False])
def test_what_is_no_number_stays_none(value: float, units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _on(units, monkeypatch)
    left, right = torch.ones(3, 4), torch.ones(4, 5)
    left[1, 2] = value
    assert not product(rows(left), columns(right))[1].isfinite().any()
    assert product(rows(left), columns(right))[0].isfinite().all()
    assert not product(rows(right.T), columns(left.T))[:, 1].isfinite().any()


def _saturating(left: Tensor, right: Tensor) -> Tensor:
    """As AVX2 adds pairs of products: in 16 bits, the left operand shifted to be without a sign."""
    pairs = (left.int() + 128)[:, :, None] * right.int()[None]
    pairs = torch.cat([pairs, torch.zeros_like(pairs[:, : pairs.shape[1] % 2])], 1)
    summed = (pairs[:, ::2] + pairs[:, 1::2]).clamp_(-(2**15), 2**15 - 1).sum(1)
    return summed.sub_(128 * right.int().sum(0)).int()


@holds(
    "Products of bytes that saturate compute no portable step",
    by="trainer/portable/byte_check.py:exact_bytes",
    against=Threat.UNLIKE_MACHINES,
)
def test_a_library_that_saturates_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    small = torch.full((3, 4), 5, dtype=torch.int8)
    assert torch.equal(_saturating(small, small.T), torch._int_mm(small, small.T)), "not every product tells"
    monkeypatch.setattr(torch, "_int_mm", _saturating)
    assert not exact_bytes()
    byte_check.integer_units.cache_clear()
    assert not byte_check.integer_units(torch.device("cpu"))
    monkeypatch.undo()
    byte_check.integer_units.cache_clear()


def test_a_library_without_the_kernel_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(left: Tensor, right: Tensor) -> Tensor:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(torch, "_int_mm", missing)
    assert not exact_bytes()
    assert not byte_check.integer_units(torch.device("meta"))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the variable is oneDNN's for x86")
def test_a_process_without_vnni_computes_the_same() -> None:
    """oneDNN is told to have no VNNI, and torch no AVX-512: the bytes saturate, and the step is the same."""
    found = [_in_process(variables) for variables in ({}, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, _OLD)]
    assert [exact for exact, _, _ in found[1:]] == [False, False]
    assert [units for _, units, _ in found[1:]] == [False, False]
    assert len({digest for _, _, digest in found}) == 1


_OLD = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}


def _in_process(variables: dict[str, str]) -> tuple[bool, bool, str]:
    done = subprocess.run(
        [sys.executable, "-c", _FOUND], env=os.environ | variables, stdout=subprocess.PIPE, check=True
    )
    exact, units, digest = json.loads(done.stdout)
    return exact, units, digest
