"""Are `torch._int_mm`'s products of bytes exact in this process, and faster than float32's? Tried, not assumed.

On processors without VNNI (SSE4.1, AVX2, AVX-512 of the Skylake kind) the library adds pairs of products in 16 bits
that saturate, and nearly every entry is silently wrong. No list of processors knows that: emulators, variables and
other builds of the library change it. Either answer gives the same bits (`byte_gemm`), so being wrong about the speed
costs time alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor

_LOWEST, _HIGHEST = -128, 127
_SHAPES = (
    (1, 1, 1),
    (3, 5, 7),
    (1, 300, 33),
    (17, 64, 1),
    (33, 65, 17),
    (64, 1024, 48),
    (129, 257, 300),
    (400, 192, 520),
)
"""Rows, contraction, columns: below and above the blocks of a product, and widths that no vector divides."""
_RACE = 256
_TURNS = 3


@cache
def integer_units(device: torch.device) -> bool:
    """Whether products of bytes go to the integer units of `device`; tried once, some milliseconds.

    On a GPU they do not: `_int_mm` takes only some shapes there, and nobody has tried them here.
    """
    return device.type == "cpu" and exact_bytes() and _faster()


def exact_bytes() -> bool:
    """Whether products of bytes are exact: of largest and smallest values, where pairs saturate, and of drawn ones."""
    try:
        return all(torch.equal(torch._int_mm(left, right).double(), expected) for left, right, expected in _trials())
    except RuntimeError:  # a library without the kernel
        return False


def _trials() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Operands in each order in memory, and their product in float64, which is exact."""
    words = np.random.Philox(key=63)
    for rows, length, columns in _SHAPES:
        for left, right in _patterns(words, (rows, length), (length, columns)):
            expected = left.double() @ right.double()
            yield left, right, expected
            yield left.T.contiguous().T, right.T.contiguous().T, expected


def _patterns(words: np.random.Philox, *shapes: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor]]:
    for first in (_LOWEST, _HIGHEST):
        for second in (_LOWEST, _HIGHEST):
            yield torch.full(shapes[0], first, dtype=torch.int8), torch.full(shapes[1], second, dtype=torch.int8)
    yield _drawn(words, shapes[0]), _drawn(words, shapes[1])


def _drawn(words: np.random.Philox, shape: tuple[int, int]) -> Tensor:
    values = (words.random_raw(shape[0] * shape[1]) >> 56).astype(np.uint8)
    return torch.from_numpy(values.view(np.int8)).view(shape)


def _faster() -> bool:
    """Whether bytes win a race of a few small products."""
    whole = torch.full((_RACE, _RACE), _HIGHEST, dtype=torch.int8)
    float_whole = whole.float()
    return _seconds(lambda: torch._int_mm(whole, whole)) < _seconds(lambda: torch.mm(float_whole, float_whole))


def _seconds(work: Callable[[], object]) -> float:
    """The least of some turns."""
    found = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)
