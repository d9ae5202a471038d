"""How far a claimed segment end is from the replayed one, where two machines cannot get the same bits.

Everything is relative to the segment's own change, never to whole weights, on which a skipped step is invisible:

- update: |claimed - replayed| / |replayed - start| of the weights; `slope` is the projection of the claimed update on
  the replayed one, less 1: a learning rate 0.1 % off hides in the norm of the noise, not in its projection;
- moment1, moment2: |claimed - replayed| / |replayed - beta^k start|, the part that the segment's own gradients made.
  The moments remember a cheat in the last step that a long segment's update dilutes.

`*_tensor` is the largest over single tensors. Sums are float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from contracts.protocol.limits import METRICS, PairLimits
from contracts.protocol.run_config import RunConfig

Arrays = Mapping[str, NDArray[np.generic]]
LONGEST_SEGMENT = 10
_SMALL = 1e-9
"""A tensor that moved less than this share of the whole is measured against that share: nothing is divided by dust."""


@dataclass(frozen=True)
class Distance:
    """The metrics of one segment, by name."""

    values: Mapping[str, float]

    def worst(self, limits: PairLimits) -> tuple[str, Decimal, Decimal]:
        """Name, value and limit of the metric that is largest against its limit."""
        sized = {name: (Decimal(repr(self.values[name])), limits.limit_of(name)) for name in METRICS}
        name = max(sized, key=lambda n: _against(*sized[n]))
        return (name, *sized[name])


@dataclass(frozen=True)
class _Part:
    """Squared sizes of one tensor: the gap, the segment's own change, and the projection of claimed on replayed."""

    name: str
    gap: float
    size: float
    along: float


def distance(config: RunConfig, start: Arrays, claimed: Arrays, replayed: Arrays) -> Distance:
    """Compare two ends of one segment of `config.segment` steps."""
    retained = {"theta": 1.0, "m": config.rate("beta1") ** config.segment, "v": config.rate("beta2") ** config.segment}
    values: dict[str, float] = {}
    for prefix, metric in (("theta", "update"), ("m", "moment1"), ("v", "moment2")):
        parts = list(_parts(prefix, retained[prefix], start, claimed, replayed))
        gap = sum(p.gap for p in parts)
        size = sum(p.size for p in parts)
        values[metric] = _ratio(gap, size)
        values[f"{metric}_tensor"] = max(_ratio(p.gap, max(p.size, size * _SMALL)) for p in parts)
        if prefix == "theta":
            values["slope"] = abs(_slope(sum(p.along for p in parts), size))
    return Distance(values)


def residual(start: Arrays, claimed: Arrays, replayed: Arrays) -> dict[str, NDArray[np.float64]]:
    """Signed gap of the weights, over the size of the replayed update: drift follows it over rounds."""
    names = sorted(name for name in replayed if name.startswith("theta."))
    gaps = {name: _double(claimed[name]) - _double(replayed[name]) for name in names}
    size = np.sqrt(sum(float(np.square(_double(replayed[n]) - _double(start[n])).sum()) for n in names))
    return {name: gap / max(float(size), 1e-300) for name, gap in gaps.items()}


def _parts(prefix: str, retained: float, start: Arrays, claimed: Arrays, replayed: Arrays) -> Iterator[_Part]:
    for name in sorted(n for n in replayed if n.startswith(f"{prefix}.")):
        s = _double(start[name])
        c = _double(claimed[name])
        r = _double(replayed[name])
        with np.errstate(over="ignore", invalid="ignore"):
            done = r - retained * s
            yield _Part(name, _sum(np.square(c - r)), _sum(np.square(done)), _sum((c - retained * s) * done))


def _double(array: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(array, dtype=np.float64)


def _sum(array: NDArray[np.float64]) -> float:
    return float(array.sum())


def _ratio(gap: float, size: float) -> float:
    if gap == 0:
        return 0.0
    if size == 0 or not np.isfinite(gap):
        return 1e18
    return float(np.sqrt(gap / size))


def _slope(along: float, size: float) -> float:
    if size == 0 or not np.isfinite(along):
        return 1e18 if along else 0.0
    return along / size - 1.0


def _against(value: Decimal, limit: Decimal) -> Decimal:
    return value / limit if limit else value * 10**18
