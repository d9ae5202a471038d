"""Products of linear layers in whole numbers of seven bits and a sign: on integer units, or in float32, same bits.

An operand is cut into chunks of at most CHUNK along the contraction. In a chunk each row of the left, and each column
of the right operand has a unit, its peak over 127, and becomes whole numbers of units, |q| <= 127 (symmetric
quantisation, Jacob et al. 2017, arXiv 1712.05877). A chunk's sum is then at most 1024 * 127^2 < 2^24: an int32 holds
it, and so does float32 with every partial sum, in any order. So `torch._int_mm` gives the same numbers as a float32
product of the integers wherever it is exact (`byte_check`), and the faster one computes. What remains is elementwise,
each operation rounded once: units and quotients, the sum times the two units, chunks added in order.

Units are no powers of two. Those would waste half a bit of seven on average, and nothing needs them: division and
multiplication are correctly rounded, too. A second slice is what rounding left, on a grid of its own, for products
whose large parts cancel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trainer.portable.byte_check import integer_units
from trainer.portable.exact_gemm import CHUNK, peak

LARGEST = 127.0


class Slice(NamedTuple):
    """Whole numbers, int8 or float32, and the units that they count, which have length 1 along the contraction."""

    whole: Tensor
    unit: Tensor


Operand = list[list[Slice]]
"""Of each chunk its slices, the coarse one first."""


def rows(x: Tensor, slices: int = 1) -> Operand:
    """x (m, k) float32 as the left operand of a product."""
    return [_slices(chunk, -1, slices) for chunk in torch.split(x, CHUNK, -1)]


def columns(x: Tensor) -> Operand:
    """x (k, n) float32 as the right operand of a product."""
    return [_slices(chunk, -2, 1) for chunk in torch.split(x, CHUNK, -2)]


def product(left: Operand, right: Operand) -> Tensor:
    """left (m, k) times right (k, n): (m, n) float32, added chunk after chunk, and the finest slice of each first."""
    total: Tensor | None = None
    for slices, (single,) in zip(left, right, strict=True):
        for part in reversed(slices):
            found = whole_product(part.whole, single.whole).mul_(part.unit).mul_(single.unit)
            total = found if total is None else total.add_(found)
    assert total is not None, "split gives at least one chunk"
    return total


def whole_product(left: Tensor, right: Tensor) -> Tensor:
    """The exact product of whole numbers, as float32.

    A float32 sum of negative zeros has the sign that its kernel begins with, and an integer has none: adding zero takes
    it away.
    """
    if left.dtype == torch.int8:
        return torch._int_mm(left, right).float()
    return torch.mm(left, right).add_(0.0)


def _slices(x: Tensor, dim: int, count: int) -> list[Slice]:
    integer = integer_units(x.device)
    found = []
    for left in range(count - 1, -1, -1):
        size = peak(x, dim)
        unit = size * (1.0 / LARGEST)
        whole = (x * torch.full_like(size, LARGEST).div_(size)).round_()
        found.append(Slice(whole.to(torch.int8) if integer else whole, unit))
        if left:
            x = x - whole * unit
    return found
