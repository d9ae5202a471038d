"""An offer of a machine in the words of all providers, and which offers a query takes.

The hosts' security has three levels, each shown with its ground:

- `datacenter`: the provider runs the host, or says that a certified data centre does;
- `known`: a host whose identity the provider has checked, and names or vouches for;
- `community`: anybody's machine.

A level is the provider's word. What this system adds holds for each: no secret but a fresh node key without funds
leaves the renter's machine, the pay goes to the renter's own address, and a host that cheats earns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from commonweight.market.errors import BadQuery
from commonweight.market.gpus import require_gpu
from commonweight.market.money import NOTHING, MicroUsd
from commonweight.market.places import countries_of
from contracts.hosts.measured import Measured
from contracts.process.record import Record

NETWORK = "network"
"""The provider of this model's own suppliers: each of its offers is another's machine."""
FRESH_SECONDS = 60
"""An older offer is marked."""
MOST_GPUS = 128


class Level(StrEnum):
    """Who runs a host."""

    DATACENTER = "datacenter"
    KNOWN = "known"
    COMMUNITY = "community"


class OfferKind(StrEnum):
    """What a row says: a machine that can be rented now, a list price, what others paid lately, or a supplier's host
    that fewer than k verifiers have measured."""

    LIVE = "live"
    LIST = "list-price"
    STATISTICS = "statistics"
    UNMEASURED = "not measured"


RENTABLE = frozenset({OfferKind.LIVE})
SHOWN = RENTABLE | {OfferKind.UNMEASURED}
"""What can be rented, and what a view shows besides."""


class Sorting(StrEnum):
    """The order of a view."""

    PRICE = "price"
    TOKENS = "token-price"
    RELIABILITY = "reliability"
    MEMORY = "memory"


@dataclass(frozen=True)
class Security(Record):
    """A host's level and its ground, how renters of one host are kept apart, and whether the provider attests the
    host's state (confidential computing)."""

    level: Level
    ground: str
    isolation: str
    attested: bool = False


@dataclass(frozen=True)
class Price(Record):
    """Of the whole machine, in millionths of a US dollar per hour; storage and traffic as the query assumes them."""

    machine: MicroUsd
    storage: MicroUsd = NOTHING
    traffic: MicroUsd = NOTHING

    @property
    def total(self) -> MicroUsd:
        """All of it."""
        return MicroUsd(self.machine + self.storage + self.traffic)


@dataclass(frozen=True)
class Offer(Record):
    """A machine with `gpus` GPUs of one kind.

    `name` is the provider's own name of the offer; `country` an ISO 3166 code, empty where it is not said; `place` the
    provider's words. Memory and disk are in gigabytes (GPU memory per GPU), bandwidth in megabits a second, 0 where it
    is not said; `reliability` in parts per million. `booked_seconds` are billed whole. `available` machines of this
    kind are on offer, 0 where it is not said. `link` is what joins GPUs or machines. `seen_at` is in Unix seconds.
    `traffic_gb` an hour in each direction are in the price, so that a launch can work it out again. `measured` is
    what k verifiers signed of a supplier's host, and `sharing` how many other offers name the same host.
    """

    provider: str
    name: str
    gpu: str
    gpus: int
    price: Price
    security: Security
    seen_at: int
    kind: OfferKind = OfferKind.LIVE
    variant: str = ""
    gpu_memory_gb: int = 0
    country: str = ""
    place: str = ""
    cpus: int = 0
    memory_gb: int = 0
    disk_gb: int = 0
    down_mbps: int = 0
    up_mbps: int = 0
    interruptible: bool = False
    booked_seconds: int = 1
    available: int = 0
    link: str = ""
    reliability: int | None = None
    traffic_gb: int = 0
    measured: Measured | None = None
    sharing: int = 0

    @property
    def per_gpu(self) -> MicroUsd:
        """Per GPU and hour, everything included, rounded up."""
        return MicroUsd(-(-self.price.total // self.gpus))

    def is_old(self, now: int) -> bool:
        """Whether it was seen more than a minute ago."""
        return now - self.seen_at > FRESH_SECONDS


@dataclass(frozen=True)
class Query:
    """What is wanted. `gpus` are kinds, empty for any; `least` to `most` GPUs in a machine; `countries` empty for any
    place; `max_price` per GPU and hour, 0 for any; `disk_gb`, and `traffic_gb` an hour in each direction, are what the
    prices include."""

    gpus: frozenset[str] = frozenset()
    least: int = 1
    most: int = 8
    countries: frozenset[str] = frozenset()
    level: Level = Level.COMMUNITY
    max_price: MicroUsd = NOTHING
    interruptible: bool = True
    attested: bool = False
    gpu_memory_gb: int = 0
    disk_gb: int = 50
    traffic_gb: int = 1
    kinds: frozenset[OfferKind] = field(default=RENTABLE)

    def takes(self, offer: Offer) -> bool:
        """Whether the offer is one of those that are wanted."""
        return (
            (not self.gpus or offer.gpu in self.gpus)
            and self.least <= offer.gpus <= self.most
            and (not self.countries or offer.country in self.countries)
            and offer.security.level in _AT_LEAST[self.level]
            and (not self.max_price or offer.per_gpu <= self.max_price)
            and (self.interruptible or not offer.interruptible)
            and (offer.security.attested or not self.attested)
            and (not self.gpu_memory_gb or offer.gpu_memory_gb >= self.gpu_memory_gb)
            and offer.kind in self.kinds
        )


_AT_LEAST = {
    Level.DATACENTER: frozenset({Level.DATACENTER}),
    Level.KNOWN: frozenset({Level.DATACENTER, Level.KNOWN}),
    Level.COMMUNITY: frozenset(Level),
}


def query_of(gpus: str = "", count: str = "1-8", where: str = "", **terms: object) -> Query:
    """A query as people write it: `H100,4090`, `1-8`, `EU,US`. Raises BadQuery."""
    names = frozenset(require_gpu(name).name for name in _parts(gpus))
    countries = frozenset[str]().union(*(countries_of(place) for place in _parts(where)))
    least, most = gpu_range(count)
    return Query(names, least, most, countries, **terms)  # type: ignore[arg-type]


def gpu_range(text: str) -> tuple[int, int]:
    """`8`, or `1-8`. Raises BadQuery."""
    least, _, most = text.strip().partition("-")
    if not text.isascii() or not least.isdecimal() or not (most or least).isdecimal():
        raise BadQuery(f"{text!r} is no number of GPUs: write 8, or 1-8")
    found = int(least), int(most or least)
    if not 1 <= found[0] <= found[1] <= MOST_GPUS:
        raise BadQuery(f"{text!r}: from 1 to {MOST_GPUS} GPUs, the smaller number first")
    return found


def sorted_offers(offers: Iterable[Offer], by: Sorting, token_price: dict[str, int] | None = None) -> list[Offer]:
    """The cheapest first. `token_price` has for each kind of GPU what a GPU yields an hour, in verified tokens; kinds
    that it lacks come last under that order."""
    rates = token_price or {}

    def key(offer: Offer) -> tuple[float, int, str, str]:
        first: float = offer.per_gpu
        if by is Sorting.TOKENS:
            first = offer.per_gpu / rates[offer.gpu] if rates.get(offer.gpu) else float("inf")
        elif by is Sorting.RELIABILITY:
            first = -(offer.reliability or 0)
        elif by is Sorting.MEMORY:
            first = -offer.gpu_memory_gb
        return first, offer.per_gpu, offer.provider, offer.name

    return sorted(offers, key=key)


def _parts(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]
