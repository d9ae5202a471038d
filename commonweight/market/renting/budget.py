"""What a fleet may still spend: never more than its budget, whatever is booked ahead, drained, or billed late.

A rental counts from the call that may have made it, by the dearer of the offer's and the billed price, in whole booked
units (commonweight/market/renting/rental.py). Whatever is left running costs until it is really ended: so what counts
is the cost at the end of the time that this takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from commonweight.market.errors import BudgetSpent
from commonweight.market.money import MicroUsd, dollars, for_seconds
from commonweight.market.offers import Offer
from commonweight.market.renting.journal import Fleet
from commonweight.market.renting.rental import Rental

END_SECONDS = 300
"""From the word to end a machine until the provider's bill ends, a look that failed included."""
LEAST_USE_SECONDS = 1800
"""A machine is not worth its start for a shorter time."""


def usable(fleet: Fleet) -> MicroUsd:
    """The budget without what is kept for late bills."""
    return MicroUsd(fleet.budget * (1_000_000 - fleet.reserve_ppm) // 1_000_000)


def cost(rentals: Iterable[Rental], at: int) -> MicroUsd:
    """What all of them may have cost by a time."""
    return MicroUsd(sum(rental.cost(at) for rental in rentals))


def spent_by_end(fleet: Fleet, rentals: Iterable[Rental], now: int, look_seconds: int) -> MicroUsd:
    """What the fleet will have cost if all of it is told to end at the next look, and not before."""
    return cost(rentals, now + look_seconds + fleet.drain_seconds + END_SECONDS)


def is_spent(fleet: Fleet, rentals: Iterable[Rental], now: int, look_seconds: int) -> bool:
    """Whether all of it is to end now: at the next look it would be too late."""
    return spent_by_end(fleet, rentals, now, look_seconds) > usable(fleet)


def require_room(fleet: Fleet, rentals: Iterable[Rental], offer: Offer, now: int, look_seconds: int) -> None:
    """Raises BudgetSpent where one more machine would not be worth its start within the budget."""
    ahead = look_seconds + fleet.drain_seconds + END_SECONDS
    unit = offer.booked_seconds
    booked = -(-(LEAST_USE_SECONDS + ahead) // unit) * unit
    first = for_seconds(offer.price.total, booked)
    left = usable(fleet) - spent_by_end(fleet, list(rentals), now + LEAST_USE_SECONDS, look_seconds)
    if first > left:
        raise BudgetSpent(
            f"{dollars(max(0, left))} of {dollars(fleet.budget)} are left, and {offer.provider}'s {offer.name} costs "
            f"{dollars(first)} for half an hour and the time to end it"
        )
