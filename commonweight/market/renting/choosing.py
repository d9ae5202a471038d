"""Which offers make up so many GPUs: the cheapest that fit, from several providers, spread by place where asked."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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


def choose(
    offers: Iterable[Offer],
    gpus: int,
    spread: Spread = Spread.NONE,
    linked: bool = False,
    held: Iterable[Offer] = (),
) -> list[Offer]:
    """Offers, in the order given, that have exactly so many GPUs together; an offer of several machines may come
    several times. Where the first that fit leave a rest that nothing fits, the cheapest that make up the number are
    found. `linked` wants all of them joined by a fast link: one offer that has them all. What is `held` already
    counts where machines are spread.

    Raises NoOfferFits with the largest number that could be had.
    """
    ordered = [offer for offer in offers if 1 <= offer.gpus <= gpus]
    if not 1 <= gpus <= MOST_GPUS:
        raise NoOfferFits(f"{gpus} GPUs: the number must be from 1 to {MOST_GPUS}")
    if linked:
        return _linked(ordered, gpus)
    room = _Room(spread, gpus, held)
    chosen = _greedy(ordered, gpus, room)
    if sum(offer.gpus for offer in chosen) == gpus:
        return chosen
    combined = _combined(ordered, gpus, _Room(spread, gpus, held))
    if gpus not in combined:
        raise NoOfferFits(f"{max(combined)} of {gpus} GPUs are on offer on these terms")
    return combined[gpus].offers()


def _linked(offers: Sequence[Offer], gpus: int) -> list[Offer]:
    for offer in offers:
        if offer.gpus == gpus and (gpus == 1 or offer.link):
            return [offer]
    raise NoOfferFits(f"no offer has {gpus} GPUs that a fast link joins")


class _Room:
    """How many GPUs more may be at each place: of all, those that are held too, the half."""

    def __init__(self, spread: Spread, gpus: int, held: Iterable[Offer]) -> None:
        self.spread = spread
        self.taken = Counter[str]()
        for offer in held:
            self.taken[self.place(offer)] += offer.gpus
        total = gpus + self.taken.total()
        self.most = total if spread is Spread.NONE else max(1, -(-total // MOST_AT_ONE_PLACE))

    def place(self, offer: Offer) -> str:
        """Where it counts."""
        return {Spread.NONE: "", Spread.PLACE: offer.country, Spread.PROVIDER: offer.provider}[self.spread]

    def at(self, offer: Offer) -> int:
        """GPUs that may still come there."""
        return self.most - self.taken[self.place(offer)]


def _greedy(offers: Sequence[Offer], gpus: int, room: _Room) -> list[Offer]:
    chosen: list[Offer] = []
    left = gpus
    for offer in offers:
        times = offer.available or MOST_GPUS
        while left >= offer.gpus and times and room.at(offer) >= offer.gpus:
            chosen.append(offer)
            room.taken[room.place(offer)] += offer.gpus
            left -= offer.gpus
            times -= 1
    return chosen


@dataclass(frozen=True)
class _Sum:
    """Offers that make up a number of GPUs: the last of them, and the others."""

    cost: int = 0
    last: Offer | None = None
    rest: tuple[_Sum, ...] = ()

    def offers(self) -> list[Offer]:
        """All of them."""
        found = [offer for one in self.rest for offer in one.offers()]
        return found if self.last is None else [*found, self.last]


_Sums = dict[int, _Sum]


def _combined(offers: Sequence[Offer], gpus: int, room: _Room) -> _Sums:
    """The cheapest offers for each number of GPUs that can be made up, up to `gpus`."""
    at_places: dict[str, _Sums] = {}
    for offer in _few(offers, gpus, room):
        sums = at_places.setdefault(room.place(offer), {0: _Sum()})
        most = min(gpus, room.at(offer))
        for number in sorted(sums, reverse=True):
            more = _Sum(sums[number].cost + offer.price.total, offer, (sums[number],))
            _better(sums, number + offer.gpus, more, most)
    return functools.reduce(lambda one, other: _joined(one, other, gpus), at_places.values(), {0: _Sum()})


def _few(offers: Sequence[Offer], gpus: int, room: _Room) -> Iterator[Offer]:
    """Of each size at each place the first ones: more have no room."""
    count = Counter[tuple[str, int]]()
    for offer in offers:
        key = room.place(offer), offer.gpus
        times = min(offer.available or MOST_GPUS, min(gpus, room.at(offer)) // offer.gpus - count[key])
        for _ in range(times):
            count[key] += 1
            yield offer


def _joined(one: _Sums, other: _Sums, most: int) -> _Sums:
    found: _Sums = {}
    for number, first in one.items():
        for more, second in other.items():
            _better(found, number + more, _Sum(first.cost + second.cost, None, (first, second)), most)
    return found


def _better(sums: _Sums, number: int, found: _Sum, most: int) -> None:
    if number <= most and (number not in sums or found.cost < sums[number].cost):
        sums[number] = found
