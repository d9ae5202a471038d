"""Which offers make up so many GPUs: the cheapest that fit, from several providers, spread by place where asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from commonweight.market.errors import NoOfferFits
from commonweight.market.offers import MOST_GPUS, Offer

MOST_AT_ONE_PLACE = 2
"""One of so many parts of the GPUs may be in one country, or at one provider, where they are spread: the half."""


class Spread(StrEnum):
    """Over what machines are spread."""

    NONE = "none"
    PLACE = "place"
    PROVIDER = "provider"


def choose(offers: Iterable[Offer], gpus: int, spread: Spread = Spread.NONE, linked: bool = False) -> list[Offer]:
    """Offers, in the order given, that have exactly so many GPUs together; an offer of several machines may come
    several times. `linked` wants all of them joined by a fast link: one offer that has them all.

    Raises NoOfferFits with the largest number that could be had.
    """
    ordered = [offer for offer in offers if offer.gpus <= gpus]
    if not 1 <= gpus <= MOST_GPUS:
        raise NoOfferFits(f"{gpus} GPUs: from 1 to {MOST_GPUS} can be asked for")
    if linked:
        return _linked(ordered, gpus)
    chosen = _greedy(ordered, gpus, spread)
    found = sum(offer.gpus for offer in chosen)
    if found < gpus:
        raise NoOfferFits(f"{found} of {gpus} GPUs are on offer on these terms")
    return chosen


def _linked(offers: Sequence[Offer], gpus: int) -> list[Offer]:
    for offer in offers:
        if offer.gpus == gpus and (gpus == 1 or offer.link):
            return [offer]
    raise NoOfferFits(f"no offer has {gpus} GPUs that a fast link joins")


def _greedy(offers: Sequence[Offer], gpus: int, spread: Spread) -> list[Offer]:
    chosen: list[Offer] = []
    at_place = Counter[str]()
    left = gpus
    for offer in offers:
        times = max(1, offer.available)
        while left >= offer.gpus and times and _has_room(offer, at_place, gpus, spread):
            chosen.append(offer)
            at_place[_place(offer, spread)] += offer.gpus
            left -= offer.gpus
            times -= 1
    return chosen


def _has_room(offer: Offer, at_place: Counter[str], gpus: int, spread: Spread) -> bool:
    if spread is Spread.NONE:
        return True
    most = max(1, -(-gpus // MOST_AT_ONE_PLACE))
    return at_place[_place(offer, spread)] + offer.gpus <= most


def _place(offer: Offer, spread: Spread) -> str:
    return offer.country if spread is Spread.PLACE else offer.provider
