"""Epoch payout: whole token units by the largest-remainder rule; the sum is exactly the emission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from contracts.errors import InvalidPayout

K = TypeVar("K", bound=str)


def split(emission: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Share `emission` units by integer weights (Hamilton's method).

    Remainders rank by size, then by key, so the result does not depend on insertion order.
    An emission of 0 gives 0 to everyone. Raises InvalidPayout.
    """
    _check(emission, weights)
    total = sum(weights.values())
    shares = {key: emission * weight // total for key, weight in weights.items()}
    remainder = emission - sum(shares.values())
    ranked = sorted(weights, key=lambda key: (-(emission * weights[key] % total), key))
    for key in ranked[:remainder]:
        shares[key] += 1
    return shares


def _check(emission: int, weights: Mapping[K, int]) -> None:
    if emission < 0:
        raise InvalidPayout(f"emission must be at least 0, got {emission}")
    negative = [key for key, weight in weights.items() if weight < 0]
    if negative:
        raise InvalidPayout(f"weights must be at least 0: {', '.join(sorted(negative))}")
    if sum(weights.values()) == 0:
        raise InvalidPayout("nothing was contributed: all weights are 0")
