"""One pseudo-gradient of those of all nodes: their mean, or by a rule under which a few bad ones move it little.

All are in portable float32: each product and each sum is rounded on its own, in the order of the nodes or of the
values, and maxima and sums of whole numbers have no order. So every machine gets the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.generic]]
_STEPS = 2**20
"""A value counts in a norm by so many steps of the largest one."""
_BLOCK = 2**20
"""Squares of at most 2^40 that are summed in 64 bits at once."""
_TRIMMED = 5
"""Of so many nodes one is left out at each end."""
_FEWEST = 3


def averaged(rule: str, gradients: Sequence[Weights]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name and value of each tensor, by the name of a run's `merge`; at least one gradient is given.

    `mean`; `clip`: the mean after each is shortened to the median of all norms (the lower one of an even number);
    `trimmed`: coordinate by coordinate, without the largest and the smallest fifth, of three or more at least one
    each; `median`: of each coordinate (Yin et al. 2018, "Byzantine-Robust Distributed Learning").
    """
    scaled = _clipped(gradients) if rule == "clip" else gradients
    for name in sorted(gradients[0]):
        yield name, _RULES[rule]([gradient[name] for gradient in scaled])


def norm(gradient: Weights) -> float:
    """The Euclidean norm over all tensors, to 2^-20 of its largest value, the same on every machine."""
    largest = max((float(np.max(np.abs(value), initial=0)) for value in gradient.values()), default=0.0)
    if largest == 0.0:
        return 0.0
    total = sum(_squares(value.reshape(-1), largest) for value in gradient.values())
    return largest * math.sqrt(total) / _STEPS


def _squares(values: NDArray[Any], largest: float) -> int:
    """The sum of squares, each value as a whole number of steps."""
    total = 0
    for start in range(0, len(values), _BLOCK):
        steps = np.rint(np.abs(values[start : start + _BLOCK]).astype(np.float64) / largest * _STEPS).astype(np.int64)
        total += int(np.sum(steps * steps))
    return total


def _clipped(gradients: Sequence[Weights]) -> list[Weights]:
    norms = [norm(gradient) for gradient in gradients]
    limit = sorted(norms)[(len(norms) - 1) // 2]
    return [
        gradient if own <= limit else _times(gradient, np.float32(limit / own))
        for gradient, own in zip(gradients, norms, strict=True)
    ]


def _times(gradient: Weights, factor: np.float32) -> Weights:
    return {name: np.multiply(value, factor) for name, value in gradient.items()}


def _mean(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Added in the order given."""
    total = parts[0].astype(np.float32)
    for part in parts[1:]:
        total = np.add(total, part)
    return np.multiply(total, np.float32(1.0 / len(parts)))


def _trimmed(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    left_out = max(1, len(parts) // _TRIMMED) if len(parts) >= _FEWEST else 0
    return _mean(_ordered(parts)[left_out : len(parts) - left_out])


def _median(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    middle = (len(parts) - 1) // 2
    return _mean(_ordered(parts)[middle : len(parts) - middle])


def _ordered(parts: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
    """The smallest value of each coordinate, then the next; a zero has no sign, since equals have no order."""
    stacked = np.sort(np.add(np.stack(parts), np.float32(0.0)), axis=0)
    return list(stacked)


_RULES: Mapping[str, Callable[[Sequence[NDArray[Any]]], NDArray[np.float32]]] = {
    "mean": _mean,
    "clip": _mean,
    "trimmed": _trimmed,
    "median": _median,
}
