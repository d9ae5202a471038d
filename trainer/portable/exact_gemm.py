"""Matrix products and sums that are exact in stock kernels, so that no order of additions can change a bit.

The idea is the Ozaki scheme's (Ozaki et al. 2012, doi 10.1007/s11075-011-9478-1; on integer units Ootomo et al. 2024,
arXiv 2306.11975), with one slice where it takes several: round both operands to integers on power-of-two grids, coarse
enough that nothing is rounded again. float32 holds every integer up to 2^24. With |q| <= 2^12 / sqrt(k) on both sides
every partial sum of a contraction of length k, over any subset and in any order, fused or not, is at most

    k * (2^12 / sqrt(k))^2  =  2^24.

Each row of the left and each column of the right operand has a grid of its own, set by its peak: 7 to 9 bits. That is
how attention is computed, whose contractions are short and many; linear layers are `byte_gemm`'s. Only this is asked of
a machine:
correctly rounded + - * / and sqrt, round half to even, no flushing of denormal numbers, and a GEMM that adds
products (not Strassen's, nor one that shortens operands below 12 bits; torch's "highest" precision is neither).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

CHUNK = 1024
"""Longest contraction of one exact product: at this length the grid has 7 bits left."""
_WHOLE = 2.0**24  # float32 holds every integer up to this
_SMALLEST = 2.0**-42  # rows that are smaller everywhere count as this small, so that no scale leaves float32
_EXPONENT_BITS = 0x7F800000
_LONG_SUM = 2.0**23  # for float64, exact up to 2^30 terms


def exact_matmul(left: Tensor, right: Tensor) -> Tensor:
    """left (..., m, k) times right (..., k, n), float32: the same bits from any kernel, thread count or order of k.

    k beyond CHUNK is cut into pieces, whose exact products are added in order, one rounding each.
    """
    total: Tensor | None = None
    for left_piece, right_piece in zip(torch.split(left, CHUNK, -1), torch.split(right, CHUNK, -2), strict=True):
        whole_rows, row_unit = quantise(left_piece, -1)
        whole_columns, column_unit = quantise(right_piece, -2)
        product = torch.matmul(whole_rows, whole_columns).add_(0.0)  # a sum of negative zeros has no sign
        product.mul_(row_unit).mul_(column_unit)  # by powers of two: no rounding
        total = product if total is None else total.add_(product)
    assert total is not None, "split gives at least one piece"
    return total


def quantise(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """(q, unit): float32 integers |q| <= 2^12 / sqrt(k), k the length of `dim`, and powers of two: x ~ q * unit."""
    scale = scale_below(math.sqrt(_WHOLE / x.shape[dim]) - 0.5, peak(x, dim))
    return (x * scale).round_(), scale.reciprocal()


def exact_sum(x: Tensor, dim: int) -> Tensor:
    """Sum along `dim`, kept as length 1: integers on a grid of the peak, fine enough that their sum is just exact."""
    short = x.shape[dim] <= CHUNK
    scale = scale_below(_WHOLE / x.shape[dim] - 0.5 if short else _LONG_SUM, peak(x, dim))
    whole = (x * scale).round_()
    total = whole.sum(dim, keepdim=True) if short else whole.sum(dim, keepdim=True, dtype=torch.float64)
    return total.add_(0.0).div_(scale)  # as in a product, zero has no sign


def exact_square_sum(x: Tensor, dim: int) -> Tensor:
    """Sum of squares along `dim`, kept as length 1, in float64: integers up to 2^12, whose squares float32 holds."""
    scale = scale_below(math.sqrt(_WHOLE), peak(x, dim))
    total = (x * scale).round_().square_().sum(dim, keepdim=True, dtype=torch.float64)
    return total.div_(scale).div_(scale)


def exact_scatter(x: Tensor, rows: Tensor, count: int) -> Tensor:
    """(count, width): row i is the sum of the rows j of x with rows[j] = i, float32, in no order that matters."""
    scale = scale_below(_LONG_SUM, peak(x, 0))
    whole = (x * scale).round_().double()
    sums = torch.zeros(count, x.shape[1], dtype=torch.float64, device=x.device).index_add_(0, rows, whole)
    return sums.div_(scale).float()


def square_root_(x: Tensor) -> Tensor:
    """The correctly rounded square root, in place.

    torch's own on a CPU is MKL's, whose last bit is wrong for some arguments, and for others on other processors (0.6 %
    of float32 with AVX-512); numpy's and CUDA's are the processor's instruction (IEEE 754, section 5.4.1).
    """
    if x.device.type != "cpu":
        return x.sqrt_()
    np.sqrt(x.numpy(), out=x.numpy())
    return x


def peak(x: Tensor, dim: int) -> Tensor:
    """Largest magnitude along `dim`, kept as length 1, at least 2^-42."""
    return torch.maximum(x.amax(dim, keepdim=True), x.amin(dim, keepdim=True).neg_()).clamp_(min=_SMALLEST)


def scale_below(limit: float, size: Tensor) -> Tensor:
    """A power of two p with p * size < limit, and at least limit/2 but for a rounding; `size`, float32, is overwritten.

    Inverting the exponent bits of z in [2^e, 2^(e+1)) leaves 2^(1-e), and z is 4 * size / limit. That quotient has two
    roundings, so p * size may exceed `limit` by a factor of 1 + 2^-22: less than the half that callers leave for
    rounding to integers, or less than an integer at all.
    """
    return size.mul_(4.0 / limit).view(torch.int32).bitwise_not_().bitwise_and_(_EXPONENT_BITS).view(torch.float32)
