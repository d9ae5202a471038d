"""A rental as its events make it, and what it may have cost by a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from commonweight.market.money import NOTHING, MicroUsd, for_seconds
from commonweight.market.offers import Offer
from commonweight.market.renting.events import (
    Billed,
    Ended,
    Event,
    Intended,
    Named,
    NeverSeen,
    Priced,
    Proved,
    Refused,
    Running,
    Sent,
    ToEnd,
)
from contracts.ids import Address

LATE_SECONDS = 3600
"""For so long after it was sent a machine that was never seen is looked for, and counted as if it ran."""


class Standing(StrEnum):
    """Where a rental stands."""

    INTENDED = "intended"
    SENT = "sent"
    LOADING = "loading"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"
    REFUSED = "refused"
    NEVER_SEEN = "never-seen"


DONE = frozenset({Standing.ENDED, Standing.REFUSED, Standing.NEVER_SEEN})
"""Nothing is owed to these any more."""


@dataclass(frozen=True)
class Rental:
    """`tag` is its name here and, where the provider takes one, there. Times in Unix seconds, 0 before they come."""

    tag: str
    offer: Offer
    fleet: str
    standing: Standing
    nodes: tuple[Address, ...]
    before: tuple[str, ...]
    made_at: int
    machine: str = ""
    sent_at: int = 0
    running_at: int = 0
    proved_at: int = 0
    to_end_at: int = 0
    drains: bool = False
    ended_at: int = 0
    price: MicroUsd = NOTHING
    billed: MicroUsd = NOTHING
    most_billed: MicroUsd = NOTHING
    reach: str = ""
    reason: str = ""
    proof: str = ""

    @property
    def provider(self) -> str:
        """Where it is rented."""
        return self.offer.provider

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is billed any more, as far as is known."""
        return self.standing in DONE

    def cost(self, at: int) -> MicroUsd:
        """The most that it may have cost by a time, in whole booked units, from the call that rented it on.

        The dearer of the offer's price and the billed one counts for the whole time, and a bill that is higher counts
        as it is, also where a later one is lower: a provider that leaves something out of a list has not paid it back.
        """
        if not self.sent_at or self.standing is Standing.REFUSED:
            return NOTHING
        end = min(at, self.ended_at) if self.ended_at else at
        if self.standing is Standing.NEVER_SEEN:
            end = min(end, self.sent_at + LATE_SECONDS)
        unit = self.offer.booked_seconds
        booked = max(1, -(-max(0, end - self.sent_at) // unit)) * unit
        hourly = max(self.price, self.offer.price.total)
        return MicroUsd(max(self.most_billed, for_seconds(hourly, booked)))


def after(rental: Rental | None, tag: str, at: int, event: Event) -> Rental:
    """The rental after one more event, at a time in Unix seconds; the first event is `Intended`."""
    if isinstance(event, Intended):
        return Rental(tag, event.offer, event.fleet, Standing.INTENDED, event.nodes, event.before, at)
    assert rental is not None, "a rental begins with its intent"
    match event:
        case Sent():
            return replace(rental, standing=Standing.SENT, sent_at=at, ended_at=0)
        case Refused():
            return replace(rental, standing=Standing.REFUSED, reason=f"{event.code}: {event.detail}", ended_at=at)
        case NeverSeen():
            return replace(
                rental, standing=Standing.NEVER_SEEN, reason="the machine never came into the account's list"
            )
        case Named():
            standing = Standing.LOADING if rental.standing in _UNNAMED else rental.standing
            return replace(rental, standing=standing, machine=event.machine, ended_at=0)
        case Running():
            up = rental.standing is Standing.LOADING
            began = rental.running_at or at
            standing = Standing.RUNNING if up else rental.standing
            reach = event.reach or rental.reach
            price = MicroUsd(max(event.price, rental.price))
            return replace(rental, standing=standing, running_at=began, price=price, reach=reach)
        case Priced():
            return replace(rental, price=MicroUsd(max(event.price, rental.price)))
        case Proved():
            return replace(rental, proof=event.proof, proved_at=at)
        case ToEnd():
            reason, since = rental.reason or event.reason, rental.to_end_at or at
            ending = replace(rental, standing=Standing.ENDING, reason=reason, to_end_at=since, ended_at=0)
            return replace(ending, drains=event.drains)
        case Ended():
            return replace(rental, standing=Standing.ENDED, ended_at=rental.ended_at or at)
        case Billed():
            return replace(rental, billed=event.amount, most_billed=MicroUsd(max(event.amount, rental.most_billed)))
    return rental


_UNNAMED = frozenset({Standing.SENT, Standing.INTENDED, Standing.NEVER_SEEN, Standing.REFUSED})
