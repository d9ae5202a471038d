"""How far a claimed segment end is from the replayed one.

Exact mode: the boundary entries (digests of weights and of optimizer state) must be equal. The relative error of the
*update* is measured beside it, per tensor and overall, since on whole weights a skipped step is invisible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.state_layout import STEP_NAME, boundary_entry

SCALE = 10**18
CAP = 2**256 - 1
EXACT_LIMIT = 0

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Comparison:
    """Outcome of one segment. `error` is the overall relative error of the update, `worst` the largest of a tensor."""

    equal: bool
    error: int
    worst: int
    tensor: str


def compare(start: Arrays, claimed: Arrays, replayed: Arrays) -> Comparison:
    """Compare two ends of one segment; errors in 1e-18, capped to uint256, infinite errors included.

    Where the entries are equal there is nothing to measure.
    """
    if boundary_entry(claimed) == boundary_entry(replayed):
        return Comparison(True, 0, 0, "")
    names = sorted(name for name in replayed if name != STEP_NAME)
    parts = {name: _parts(start[name], claimed[name], replayed[name]) for name in names}
    theta = [parts[name] for name in names if name.startswith("theta.")]
    overall = _ratio(sum(gap for gap, _ in theta), sum(size for _, size in theta))
    worst = max(names, key=lambda name: _ratio(*parts[name]))
    return Comparison(False, overall, _ratio(*parts[worst]), worst)


def _parts(
    start: NDArray[np.generic], claimed: NDArray[np.generic], replayed: NDArray[np.generic]
) -> tuple[float, float]:
    s, c, r = (np.asarray(a, dtype=np.float64) for a in (start, claimed, replayed))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.square(c - r).sum()), float(np.square(r - s).sum())


def _ratio(gap: float, size: float) -> int:
    if gap == 0:
        return 0
    if size == 0 or not np.isfinite(gap):
        return CAP
    return min(CAP, int(float(np.sqrt(gap / size)) * SCALE))
