"""Rotary positions from whole numbers: the cosines and sines that no library's cos, sin or pow has a part in.

A pair i of a head of width K turns by the angle base^(-2i/K) from one position to the next (Su et al. 2021). That angle
comes of Python's decimal arithmetic, whose exp and ln are correctly rounded; its cosine and sine of their series in
whole numbers over 2^128. Turns by 0 to 255 positions, and by whole multiples of 256, follow by multiplication there;
all others are one product of the two in float64, each operation rounded on its own, and then rounded to float32.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_DIGITS = Context(prec=60, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999)
_BITS = 128
_ONE = 1 << _BITS
_STRIDE = 256
"""Positions between the coarse turns."""

Turn = tuple[int, int]
"""Cosine and sine, as whole numbers over 2^128."""


@lru_cache(maxsize=8)
def turns(time: int, width: int, base: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles by which positions turn a head's pairs: (T, K) float32 each, K even."""
    pairs = [_pair(time, width, base, index) for index in range(width // 2)]
    cos, sin = (np.stack(parts * 2, axis=1) for parts in zip(*pairs, strict=True))
    return torch.from_numpy(cos).to(device), torch.from_numpy(sin).to(device)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs (x[i], x[i + K/2]) turned by their position's angle, (..., T, K); with -sin, its backward pass."""
    first, second = x.chunk(2, dim=-1)
    return (x * cos).add_(torch.cat((second.neg(), first), dim=-1).mul_(sin))


def _pair(time: int, width: int, base: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines of one pair at every position, (T,) each."""
    step = _turn_by(_angle(width, base, index))
    fine = _multiples(step, _STRIDE + 1)
    coarse = _multiples(fine.pop(), -(-time // _STRIDE))
    (a, b), (c, d) = _split(fine), _split(coarse)
    cos = np.multiply.outer(c, a) - np.multiply.outer(d, b)
    sin = np.multiply.outer(c, b) + np.multiply.outer(d, a)
    return cos.reshape(-1)[:time].astype(np.float32), sin.reshape(-1)[:time].astype(np.float32)


def _angle(width: int, base: int, index: int) -> int:
    """base^(-2 index / width) of a full turn's radians, over 2^128."""
    share = _DIGITS.divide(Decimal(-2 * index), Decimal(width))
    angle = _DIGITS.exp(_DIGITS.multiply(share, _DIGITS.ln(Decimal(base))))
    return int(_DIGITS.to_integral_value(_DIGITS.multiply(angle, Decimal(_ONE))))


def _turn_by(angle: int) -> Turn:
    """Cosine and sine of an angle of at most 1, by their series."""
    sums = [0, 0]
    term, order = _ONE, 0
    while term:
        sums[order % 2] += -term if order % 4 > 1 else term
        order += 1
        term = (term * angle >> _BITS) // order
    return sums[0], sums[1]


def _multiples(step: Turn, count: int) -> list[Turn]:
    """Turns by 0, 1, ... count - 1 steps."""
    found = [(_ONE, 0)]
    while len(found) < count:
        (a, b), (c, d) = found[-1], step
        found.append(((a * c - b * d) >> _BITS, (a * d + b * c) >> _BITS))
    return found


def _split(found: list[Turn]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines and sines; Python's division of whole numbers is correctly rounded."""
    return np.array([turn[0] / _ONE for turn in found]), np.array([turn[1] / _ONE for turn in found])
