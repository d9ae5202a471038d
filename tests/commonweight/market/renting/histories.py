"""Random histories of a fleet: prices rise, machines are preempted or never come up, calls break off, bills come late.

What a provider bills beyond the offer's whole price stays within what a fleet keeps back for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from commonweight.market.errors import OutOfStock
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer, Price
from commonweight.market.provider import ProviderFacts
from commonweight.market.renting.fleet import FleetKeeper, Wanted
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.rental import DONE
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, away, offer

LOOK_SECONDS = 20
LATE_PPM = 90_000
"""Late bills beyond the whole price, as a part of it."""


@dataclass(frozen=True)
class Outcome:
    """What one history came to, in millionths of a dollar; `running` machines are billed at its end."""

    budget: int
    spent: int
    launches: int
    running: int
    unfinished: int


def play(seed: int, folder: Path) -> Outcome:
    """One history, from the first look until two hours after the fleet's end."""
    random = Random(seed)
    clock = Clock()
    providers = {name: _provider(random, clock, name) for name in ("alpha", "beta", "gamma")}
    budget = MicroUsd(random.randrange(1_000_000, 60_000_000))
    fleet = Fleet("f", budget, clock.now + random.randrange(1_800, 15_000), drain_seconds=random.choice([0, 120, 600]))
    journal = Journal(folder / f"journal-{seed}.db", clock)
    journal.fleet_begins(fleet)
    keeper = _keeper(journal, providers, random)
    end = fleet.ends_at + 7_200
    over = False
    while clock.now < end and not over:
        over = keeper.look()
        for provider in providers.values():
            _weather(random, provider)
        clock.now += random.randrange(1, LOOK_SECONDS * 2)
    spent = sum(provider.total() for provider in providers.values())
    running = sum(len(provider.running) for provider in providers.values())
    unfinished = sum(rental.standing not in DONE for rental in journal.rentals())
    launches = sum(provider.effects for provider in providers.values())
    journal.close()
    return Outcome(budget, spent, launches, running, unfinished)


def _provider(random: Random, clock: Clock, name: str) -> Simulated:
    booked = random.choice([1, 60, 3600])
    facts = ProviderFacts(name, random.random() < 0.5, "none", ("card",), "none", booked)
    shelf = [
        offer(
            f"{name}-{number}",
            name,
            random.randrange(200_000, 6_000_000),
            gpus=random.choice([1, 1, 2, 4]),
            booked_seconds=booked,
            available=random.choice([0, 3]),
        )
        for number in range(4)
    ]
    return Simulated(clock, facts, shelf, boots=random.choice([30, 300, 5_000]), late_bills=random.random() < 0.5)


def _keeper(journal: Journal, providers: dict[str, Simulated], random: Random) -> FleetKeeper:
    wanted = Wanted(
        gpus=random.randrange(1, 9),
        offers=lambda: sorted((one for each in providers.values() for one in each.shelf), key=lambda one: one.per_gpu),
        bootstrap=lambda tag, keys: BOOTSTRAP,
        look_seconds=LOOK_SECONDS,
    )
    return FleetKeeper(journal, providers, "f", wanted, say=lambda event, about, sentence: None)


def _weather(random: Random, provider: Simulated) -> None:
    """Something may happen between two looks."""
    if random.random() < 0.02 and provider.running:
        provider.preempt(random.choice(provider.running))
    if random.random() < 0.03:
        provider.shelf = [_dearer(random, one) for one in provider.shelf]
    for name in provider.running:
        bill = provider.bills[name]
        if random.random() < 0.01:
            bill.extra = max(bill.extra, (provider.billed(name) - bill.extra) * random.randrange(LATE_PPM) // 1_000_000)
    trouble = random.choice(["none"] * 12 + ["cut", "stock", "list", "end"])
    provider.on_launch = lambda before: _fail(trouble, before)
    provider.on_list = lambda: _fail_if(trouble == "list")
    provider.on_end = lambda before: _fail_if(trouble == "end" and before)


def _dearer(random: Random, one: Offer) -> Offer:
    return replace(one, price=Price(MicroUsd(one.price.total * random.randrange(100, 130) // 100)))


def _fail(trouble: str, before: bool) -> None:
    if trouble == "cut" and not before:
        raise away(sent=True)
    if trouble == "stock" and before:
        raise OutOfStock("gone")


def _fail_if(fails: bool) -> None:
    if fails:
        raise away(sent=True)
