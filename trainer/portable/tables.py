"""exp, GELU and SiLU as tables: what libraries round differently, decided once and checked by digest.

An argument is rounded to a multiple of 2^-10 and looked up. Entries are the true values rounded to multiples of
2^-23. None lies nearer than 1.1e-12 to a rounding boundary (computed with 40 digits), and float64 libraries err by
about 1e-16, so all of them give the same tables; the digest refuses one that does not.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray
from torch import Tensor

from contracts.errors import CommonweightError

STEPS = 1024.0
"""Table entries for each unit of the argument."""
_GELU_END = 8
_EXP_END = 16
_SILU_END = 16
_ENTRY = 2.0**23
_DIGESTS = {
    "gelu": "542013966b76fd13fcf85d4f6a3240391276ff4ea7553dc10a0161a6ab37cfef",
    "gelu slope": "3b410cf01fa7eded5ad2c387188956a31281596620c266df573116df277daca0",
    "silu": "3ef6c5e5052497bb8058387e3606b93a3b4309947d291d68bcb81e3a1fc7c057",
    "silu slope": "c3b4465cba2697f9e63a81b90b2b306ebac90c73f02dd9213d585a96525ae8b3",
    "exp": "13611f31f36df8975a94b54daf43e6bee74de889007cf0a1212e2fe576f15daa",
}


class TableMismatch(CommonweightError):
    """This machine's exp or tanh is so far off that a function table differs from everybody else's."""

    code = "table-mismatch"


def gelu_places(x: Tensor) -> Tensor:
    """Where `gelu` and `gelu_slope` look x up."""
    return _places(x, -_GELU_END, _GELU_END)


def gelu(x: Tensor, places: Tensor) -> Tensor:
    """x times the tanh approximation of the normal distribution function, that from the table."""
    return _entries("gelu", places).mul_(x)


def gelu_slope(places: Tensor) -> Tensor:
    """The derivative of `gelu`."""
    return _entries("gelu slope", places)


def silu_places(x: Tensor) -> Tensor:
    """Where `silu` and `silu_slope` look x up."""
    return _places(x, -_SILU_END, _SILU_END)


def silu(x: Tensor, places: Tensor) -> Tensor:
    """x times the logistic function of x, that from the table; exactly 0 and x from 16 on to either side."""
    return _entries("silu", places).mul_(x)


def silu_slope(places: Tensor) -> Tensor:
    """The derivative of `silu`."""
    return _entries("silu slope", places)


def exp_negative(x: Tensor) -> Tensor:
    """exp(-x) for x >= 0, a multiple of 2^-23, and exactly 0 from 16 on."""
    return _entries("exp", _places(x, 0, _EXP_END))


def check_tables() -> None:
    """Build all tables. Raises TableMismatch."""
    for name in _DIGESTS:
        _table(name)


def _places(x: Tensor, low: int, high: int) -> Tensor:
    """Table indices; what is not a number gets one too, and shows up in the loss or the gradient."""
    return x.clamp(low, high).nan_to_num_(low).mul_(STEPS).round_().sub_(low * STEPS).int()


def _entries(name: str, places: Tensor) -> Tensor:
    return torch.index_select(_table_on(name, places.device), 0, places.flatten()).view(places.shape)


@cache
def _table_on(name: str, device: torch.device) -> Tensor:
    return _table(name).to(device)


@cache
def _table(name: str) -> Tensor:
    entries = (np.rint(_values(name) * _ENTRY) / _ENTRY).astype("<f4")
    found = blake3(entries.tobytes()).hexdigest()
    if found != _DIGESTS[name]:
        raise TableMismatch(f"the table of {name} hashes to {found}, not to {_DIGESTS[name]}")
    return torch.from_numpy(entries)


def _values(name: str) -> NDArray[np.float64]:
    if name == "exp":
        values = np.exp(-np.arange(_EXP_END * int(STEPS) + 1) / STEPS)
        values[-1] = 0.0
        return values
    return _silu(name) if name.startswith("silu") else _gelu(name)


def _silu(name: str) -> NDArray[np.float64]:
    x = np.arange(-_SILU_END * int(STEPS), _SILU_END * int(STEPS) + 1) / STEPS
    share: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-x))
    values = share if name == "silu" else share * (1.0 + x * (1.0 - share))
    values[0] = 0.0
    values[-1] = 1.0
    return values


def _gelu(name: str) -> NDArray[np.float64]:
    x = np.arange(-_GELU_END * int(STEPS), _GELU_END * int(STEPS) + 1) / STEPS
    inner = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    share: NDArray[np.float64] = 0.5 * (1.0 + inner)
    if name == "gelu":
        return share
    slope = np.sqrt(2 / np.pi) * (1.0 + 3 * 0.044715 * x**2)
    return np.asarray(share + 0.5 * x * (1.0 - inner**2) * slope)
