"""A pseudo-random permutation of the numbers below a size, any place of it directly and without memory.

A balanced Feistel network over the next even number of bits; what falls outside is walked on until it falls inside
(Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). It hides nothing: it mixes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

_ROUNDS = 8
_WORD = 8
_FIRST, _SECOND = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
"""Multipliers of MurmurHash3's 64-bit finalizer."""
_SHIFT = np.uint64(33)


class Permutation:
    """The permutation of 0 to `size` - 1 that a key names."""

    def __init__(self, key: bytes, size: int) -> None:
        assert size > 0, "of something"
        half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._size = np.uint64(size)
        self._half = np.uint64(half)
        self._low = np.uint64(2**half - 1)
        self._keys = np.frombuffer(blake3(key).digest(length=_ROUNDS * _WORD), dtype="<u8").astype(np.uint64)

    def __call__(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers at these places."""
        values = self._mixed(places.astype(np.uint64))
        while (outside := values >= self._size).any():
            values[outside] = self._mixed(values[outside])
        return values.astype(np.int64)

    def _mixed(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values >> self._half, values & self._low
        for key in self._keys:
            left, right = right, left ^ (_hashed(right + key) & self._low)
        mixed: NDArray[np.uint64] = left << self._half | right
        return mixed


def _hashed(values: NDArray[np.uint64]) -> NDArray[Any]:
    """MurmurHash3's finalizer; arrays wrap around."""
    values = (values ^ values >> _SHIFT) * _FIRST
    values = (values ^ values >> _SHIFT) * _SECOND
    return values ^ values >> _SHIFT
