"""A fleet from a command's options, and the looks at it until it is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex

from commonweight.market.accounts import Accounts
from commonweight.market.desk import gathered
from commonweight.market.errors import BadQuery
from commonweight.market.money import MicroUsd, micro_usd
from commonweight.market.offers import Offer, OfferKind, Price, Query, Sorting, sorted_offers
from commonweight.market.provider import Bootstrap
from commonweight.market.renting.bootstrap import NodeKey
from commonweight.market.renting.choosing import Spread
from commonweight.market.renting.fleet import FleetKeeper, Wanted
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.terminal.console import complain_of_weather, say, tell
from contracts.errors import CommonweightError

logger = logging.getLogger(__name__)

MOST_BUDGET = 10**13
MOST_HOURS = 100_000
LAST_SECONDS = 900
"""A machine that nobody ended stops its nodes so long after its hours and its drain."""
ENDING_SECONDS = 5
"""Between two looks of a fleet that was told to end."""

BootstrapOf = Callable[[str, Sequence[NodeKey]], Bootstrap]


@dataclass(frozen=True)
class Hiring:
    """How many GPUs, spread and joined how, looked at how often."""

    count: int
    spread: str
    linked: bool
    look_seconds: int


def new_fleet(journal: Journal, budget: str, hours: float, drain: int = 0, run: str = "") -> Fleet:
    """The terms of a fleet that begins now. Raises BadPrice, BadQuery."""
    amount = micro_usd(budget.upper().removesuffix("USD").strip(), "--budget", MOST_BUDGET)
    if not 0 < hours < MOST_HOURS:  # NaN, too
        raise BadQuery(f"{hours} hours cannot be rented")
    ends_at = journal.clock() + int(hours * 3600)
    return Fleet(f"fleet-{token_hex(3)}", amount, ends_at, run, drain_seconds=drain)


def wanted(
    accounts: Accounts, query: Query, hiring: Hiring, bootstrap: BootstrapOf, new_key: Callable[[], NodeKey] | None
) -> Wanted:
    """What the fleet is to be. Raises BadQuery.

    At a provider whose prices are known only after one's own call, what was paid lately stands for an offer, and the
    most that the query allows is its price: it is what the call may take.
    """
    if hiring.spread not in tuple(Spread):
        raise BadQuery(f"--spread is {', '.join(Spread)}, not {hiring.spread!r}")
    wide = replace(query, kinds=query.kinds | {OfferKind.STATISTICS})

    def offers() -> Sequence[Offer]:
        found = gathered(list(accounts.providers.values()), wide)
        return [_ceiling(offer, query) for offer in sorted_offers(found.offers, Sorting.PRICE)]

    return Wanted(hiring.count, offers, bootstrap, new_key, Spread(hiring.spread), hiring.linked, hiring.look_seconds)


def _ceiling(offer: Offer, query: Query) -> Offer:
    if offer.kind is not OfferKind.STATISTICS or not query.max_price:
        return offer
    return replace(offer, price=Price(MicroUsd(query.max_price * offer.gpus)))


def keeper_of(journal: Journal, accounts: Accounts, fleet: Fleet, terms: Wanted) -> FleetKeeper:
    """A keeper that reports each event in a line."""

    def report(event: str, about: str, sentence: str) -> None:
        tell({"event": event, "about": about, "detail": sentence}, [f"{event:<10} {about}  {sentence}"])

    return FleetKeeper(journal, accounts.providers, fleet.name, terms, report)


def keep(keeper: FleetKeeper, stop: threading.Event, fleet: Fleet) -> None:
    """Look again and again until all of it is over; told to end, the fleet ends first."""
    keeper.journal.fleet_begins(fleet)
    keeper.is_stopped = stop.is_set
    say(f"{fleet.name} begins; `commonweight market ps` shows its machines")
    while not _looked(keeper):
        if stop.is_set() or stop.wait(keeper.wanted.look_seconds):
            keeper.end()
            threading.Event().wait(min(ENDING_SECONDS, keeper.wanted.look_seconds))
    tell({"event": "over", "fleet": fleet.name}, [f"{fleet.name} is over: it has no machine left"])


def _looked(keeper: FleetKeeper) -> bool:
    """A look that may fail, for want of disk or by a fault of ours: machines that cost money are not left for that."""
    try:
        return keeper.look()
    except Exception as error:
        if not isinstance(error, CommonweightError):
            logger.exception("a look broke")
        complain_of_weather(f"a look at {keeper.name} failed, and is repeated: {error}")
    try:
        return keeper.end_unwritten()
    except Exception as error:
        complain_of_weather(f"{keeper.name}: what is over cannot be ended either: {error}")
        return False
