"""What machines cost in whole hours, for an invoice to a run's maintainers.

The amount is what the provider has billed, else the most that the machine may have cost: maintainers compare it with
the provider's bill.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from commonweight.market.money import HOUR, MicroUsd
from commonweight.market.renting.rental import Rental, Standing
from contracts.ids import Address


@dataclass(frozen=True)
class MachineCost:
    """Hours since 1970, from the first on and before the last."""

    rental: str
    provider: str
    machine: str
    nodes: tuple[Address, ...]
    from_hour: int
    to_hour: int
    amount: MicroUsd


def ended_costs(rentals: Iterable[Rental], workers: Collection[Address], first_hour: int = 0) -> list[MachineCost]:
    """The costs of machines that have ended, with those of their nodes that are among `workers`; none of a machine
    without one. Hours before `first_hour` are left out, with their part of the cost."""
    found = []
    for rental in rentals:
        nodes = tuple(sorted(node for node in rental.nodes if node in workers))
        if rental.standing is not Standing.ENDED or not nodes or not rental.machine:
            continue
        began = rental.sent_at // HOUR
        first = max(began, first_hour)
        end = max(began + 1, -(-rental.ended_at // HOUR))
        if first >= end:
            continue
        amount = rental.billed or rental.cost(rental.ended_at)
        part = MicroUsd(amount * (end - first) // (end - began))
        if part:
            found.append(MachineCost(rental.tag, rental.provider, rental.machine, nodes, first, end, part))
    return found
