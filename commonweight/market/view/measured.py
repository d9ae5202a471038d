"""What a GPU of each kind yields in a run: verified tokens an hour, of the machines that this renter had in it.

The log names keys, not GPUs: only who rented a machine knows its kind. Kinds that nobody here rented are not seen yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from commonweight.market.offers import Offer
from commonweight.market.renting.rental import Rental
from contracts.ids import Address
from contracts.process.record import Record

LEAST_SECONDS = 600
"""A machine counts when it was up for so long."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Yield(Record):
    """Verified tokens per GPU and hour: the median of so many machines, the least and the most of them."""

    gpu: str
    machines: int
    median: int
    least: int
    most: int


def yields(rentals: Iterable[Rental], work: Mapping[Address, int], now: int) -> dict[str, Yield]:
    """By kind of GPU; `work` has the verified tokens of each node."""
    by_kind: dict[str, list[int]] = {}
    for rental in rentals:
        seconds = (rental.ended_at or now) - rental.running_at
        if not rental.running_at or seconds < LEAST_SECONDS or not rental.nodes:
            continue
        tokens = sum(work.get(node, 0) for node in rental.nodes)
        by_kind.setdefault(rental.offer.gpu, []).append(tokens * 3600 // (seconds * rental.offer.gpus))
    return {
        gpu: Yield(gpu, len(rates), int(median(rates)), min(rates), max(rates))
        for gpu, rates in by_kind.items()
        if rates
    }


def token_price(offer: Offer, rate: int) -> int | None:
    """Millionths of a dollar for a million verified tokens at so many an hour and GPU; None where it yields none."""
    return -(-offer.per_gpu * MILLION // rate) if rate else None
