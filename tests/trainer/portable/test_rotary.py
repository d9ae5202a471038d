"""Rotary positions from whole numbers are those of cosine and sine."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from blake3 import blake3

from trainer.model import llama
from trainer.portable.rotary import turned, turns

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")
GOLDEN = "8fcc04ebebf39824ed8c31c99b9a1e48c7f1309e74345f8674fef49fa644db17"
"""Of 700 positions, width 26, base 500,000; a change of it is a change of the portable profile."""


@pytest.mark.parametrize(("time", "width", "base"), [(1, 2, 100), (257, 10, 10_000), (1500, 6, 10_000_000)])
def test_turns_are_cosines_and_sines(time: int, width: int, base: int) -> None:
    cos, sin = turns(time, width, base, CPU)
    assert cos.shape == sin.shape == (time, width)
    assert cos.dtype == sin.dtype == torch.float32
    for position in range(0, time, 7):
        for place in range(width):
            angle = position * base ** (-2 * (place % (width // 2)) / width)
            assert float(cos[position, place]) == pytest.approx(math.cos(angle), abs=4e-8)
            assert float(sin[position, place]) == pytest.approx(math.sin(angle), abs=4e-8)


def test_turns_are_the_golden_ones() -> None:
    both = torch.cat(turns(700, 26, 500_000, CPU))
    assert blake3(both.numpy().astype("<f4").tobytes()).hexdigest() == GOLDEN


def test_no_library_has_a_part_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*_: object) -> float:
        raise AssertionError("a library's function")

    for module in (math, np, torch):
        for name in ("cos", "sin", "exp", "log", "pow"):
            monkeypatch.setattr(module, name, called)
    turns.cache_clear()
    turns(300, 4, 10_000, CPU)


def test_pairs_turn_as_in_the_module_and_back() -> None:
    x = torch.randn(2, 3, 20, 8, generator=torch.Generator().manual_seed(1))
    cos, sin = turns(20, 8, 10_000, CPU)
    there = turned(x, cos, sin)
    torch.testing.assert_close(there, llama.turned(x, cos, sin), rtol=0, atol=1e-6)
    torch.testing.assert_close(turned(there, cos, -sin), x, rtol=0, atol=1e-6)
