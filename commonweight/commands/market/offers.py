"""`commonweight market offers`: what all providers have, in one view."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.commands.market.shared import (
    Disk,
    Gpu,
    Gpus,
    MarketFolder,
    MaxPrice,
    Memory,
    Providers,
    Security,
    Steady,
    Traffic,
    Where,
    market_folder,
    open_journal,
    open_providers,
    read_query,
)
from commonweight.terminal.console import mention, tell
from commonweight.terminal.options import DEFAULT_API, Api, read_run

if TYPE_CHECKING:
    from pathlib import Path

    from commonweight.market.view.measured import Yield

SECONDS = 20.0
"""For all providers together."""


def offers(
    gpu: Gpu = "",
    gpus: Gpus = "1-8",
    where: Where = "",
    security: Security = "community",
    max_price: MaxPrice = "",
    sort: Annotated[str, typer.Option(help="price, token-price, reliability or memory.")] = "price",
    lowest: Annotated[bool, typer.Option("--lowest", help="Only the first, as one answer.")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="Rows to show.")] = 40,
    lists: Annotated[
        bool,
        typer.Option("--lists", help="Also list prices of clouds, and what was paid lately, where nothing is live."),
    ] = False,
    run: Annotated[str, typer.Option(help="A run: prices of verified tokens by what your machines did in it.")] = "",
    api: Api = DEFAULT_API,
    provider: Providers = None,
    disk: Disk = 50,
    traffic: Traffic = 1,
    memory: Memory = 0,
    steady: Steady = False,
    folder: MarketFolder = None,
) -> None:
    """Show what can be rented now, whole prices included. Providers are asked by your keys; none sees another's."""
    from commonweight.market.errors import BadQuery, NoOfferFits
    from commonweight.market.offers import OfferKind, Sorting, sorted_offers
    from commonweight.market.view.gathering import gather
    from commonweight.market.view.rows import document, table

    if sort not in tuple(Sorting):
        raise BadQuery(f"--sort is {', '.join(Sorting)}, not {sort!r}")
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    query = replace(query, kinds=frozenset(OfferKind)) if lists else query
    home = market_folder(folder)
    accounts = open_providers(home, provider, lists)
    found = gather([*accounts.providers.values(), *accounts.lists], query, SECONDS)
    for failure in found.failed:
        mention("provider-failed", failure.to_json(), f"{failure.provider} is not in this view: {failure.detail}")
    rates = _rates(home, api, run)
    now = int(time.time())
    by_kind = {name: rate.median for name, rate in rates.items()}
    rows = sorted_offers(found.offers, Sorting(sort), by_kind)[: 1 if lowest else most]
    if not rows:
        raise NoOfferFits("nothing on offer is what was asked for; --lists shows prices of more clouds")
    documents = [document(row, accounts.providers.get(row.provider), rates, now) for row in rows]
    tell(documents, [table(rows, rates, now), f"{len(rows)} of {len(found.offers)} offers"])


def _rates(folder: Path, api: str, run: str) -> dict[str, Yield]:
    """What this renter's machines yield in the run, nothing without one."""
    if not run:
        return {}
    from commonweight.market.run_side import RunSide
    from commonweight.market.view.measured import yields

    journal = open_journal(folder)
    name = read_run(run)
    fleets = {fleet.name for fleet in journal.fleets() if fleet.run == name}
    rentals = [rental for rental in journal.rentals() if rental.fleet in fleets]
    return yields(rentals, RunSide(api, name).work(), journal.clock()) if rentals else {}
