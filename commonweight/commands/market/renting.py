"""`commonweight market join` and `rent`: machines for a run, or for anything else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
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
from commonweight.terminal.console import mention, say, tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import DEFAULT_API, Api, DeploymentFile, read_address, read_run

if TYPE_CHECKING:
    from commonweight.market.accounts import Accounts
    from commonweight.market.offers import Offer, Query
    from commonweight.market.renting.fleet import FleetKeeper, Wanted
    from commonweight.market.renting.journal import Fleet, Journal

SECONDS = 20.0
LAST_SECONDS = 900
"""A machine that nobody ended stops its nodes so long after its hours and its drain."""
Count = Annotated[int, typer.Option("--count", min=1, max=128, help="GPUs in all.")]
Budget = Annotated[str, typer.Option(help="The most that all of it may cost, in US dollars: 50, or 50USD.")]
Hours = Annotated[float, typer.Option(min=0.1, max=2_000, help="All machines are ended after so many hours.")]
SpreadOver = Annotated[str, typer.Option("--spread", help="none, place (countries) or provider.")]
Linked = Annotated[bool, typer.Option("--linked", help="Only machines whose GPUs a fast link joins, all in one offer.")]
Image = Annotated[str, typer.Option(help="Container image, where the provider runs containers.")]
PublicKey = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="An SSH public key that may log in to the machines.")
]
Look = Annotated[int, typer.Option(min=1, max=600, help="Seconds between two looks.")]


def join(
    run: Annotated[str, typer.Argument(parser=read_run, metavar="RUN", help="The run, as `run list` names it.")],
    payout: Annotated[str, typer.Option(parser=read_address, metavar="ADDRESS", help="Your address: it is paid.")],
    budget: Budget,
    hours: Hours,
    deployment: DeploymentFile,
    package: Annotated[
        str, typer.Option(help="What pip installs on a machine: a requirement, or the address of a wheel.")
    ],
    package_sha256: Annotated[str, typer.Option(help="The SHA-256 that a wheel must have.")] = "",
    api: Api = DEFAULT_API,
    rpc_url: Annotated[str, typer.Option("--rpc-url", help="A chain node that the machines can reach.")] = "",
    gpu: Gpu = "",
    gpus: Gpus = "1-8",
    count: Count = 1,
    where: Where = "",
    security: Security = "community",
    max_price: MaxPrice = "",
    spread: SpreadOver = "none",
    linked: Linked = False,
    drain: Annotated[int, typer.Option(min=0, max=86_400, help="Seconds for what nodes owe, before they end.")] = 300,
    device: Annotated[str, typer.Option(help="Device of the nodes.")] = "cuda",
    node_option: Annotated[
        list[str] | None, typer.Option(help="One more word for `commonweight node`; may come several times.")
    ] = None,
    image: Image = "",
    public_key: PublicKey = None,
    provider: Providers = None,
    disk: Disk = 50,
    traffic: Traffic = 1,
    memory: Memory = 0,
    steady: Steady = False,
    look: Look = 20,
    folder: MarketFolder = None,
) -> None:
    """Rent machines that train in a run: watched to their first accepted proof, replaced, and ended at budget, hours
    or the end of the run.

    No secret but a fresh key without funds for each GPU leaves this machine. Ctrl-C ends the fleet, and a second start
    with the same budget is a new one. If this process is killed, `market ps` ends the machines.
    """
    from commonweight.market.renting.bootstrap import IMAGE, Joining, joining, new_node_key
    from commonweight.market.run_side import RunSide

    stop = heed_signals()
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    home = market_folder(folder)
    accounts = open_providers(home, provider)
    journal = open_journal(home)
    fleet = replace(_fleet(journal, budget, hours, drain), run=run)
    terms = Joining(
        api,
        run,
        payout,  # type: ignore[arg-type]
        deployment.read_text(),
        package,
        package_sha256,
        rpc_url,
        device,
        image or IMAGE,
        public_key.read_text().strip() if public_key else "",
        tuple(node_option or ()),
    )
    seconds = fleet.ends_at - journal.clock() + drain + LAST_SECONDS
    wanted = _wanted(
        accounts,
        query,
        count,
        spread,
        linked,
        look,
        lambda tag, keys: joining(terms, keys, seconds),  # noqa: ARG005
        lambda: new_node_key(home / "nodes"),
    )
    joining(terms, [], seconds)  # a text that no machine can carry is refused before anything is rented
    side = RunSide(api, run)
    side.is_over()
    keeper = _keeper(journal, accounts, fleet, wanted)
    keeper.proofs, keeper.is_over = side.first_proofs, side.is_over
    _keep(keeper, stop.watched(), journal, fleet)


def rent(
    budget: Budget,
    hours: Hours,
    script: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A shell script that each machine runs once.")
    ] = None,
    gpu: Gpu = "",
    gpus: Gpus = "1-8",
    count: Count = 1,
    where: Where = "",
    security: Security = "community",
    max_price: MaxPrice = "",
    spread: SpreadOver = "none",
    linked: Linked = False,
    image: Image = "",
    public_key: PublicKey = None,
    provider: Providers = None,
    disk: Disk = 50,
    traffic: Traffic = 1,
    memory: Memory = 0,
    steady: Steady = False,
    look: Look = 20,
    folder: MarketFolder = None,
) -> None:
    """Rent machines for anything else, and print how to reach them.

    They end at budget or hours, or with this process.
    """
    from commonweight.market.provider import Bootstrap
    from commonweight.market.renting.bootstrap import IMAGE

    stop = heed_signals()
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    home = market_folder(folder)
    accounts = open_providers(home, provider)
    journal = open_journal(home)
    fleet = _fleet(journal, budget, hours, 0)
    text = script.read_text() if script else "#!/bin/sh\nsleep infinity\n"
    bootstrap = Bootstrap(text, image or IMAGE, public_key.read_text().strip() if public_key else "")
    wanted = _wanted(accounts, query, count, spread, linked, look, lambda tag, keys: bootstrap, None)  # noqa: ARG005
    _keep(_keeper(journal, accounts, fleet, wanted), stop.watched(), journal, fleet)


def _fleet(journal: Journal, budget: str, hours: float, drain: int) -> Fleet:
    from commonweight.market.money import micro_usd
    from commonweight.market.renting.journal import Fleet

    most = 10**13
    amount = micro_usd(budget.upper().removesuffix("USD").strip(), "--budget", most)
    return Fleet(f"fleet-{token_hex(3)}", amount, journal.clock() + int(hours * 3600), drain_seconds=drain)


def _wanted(
    accounts: Accounts,
    query: Query,
    count: int,
    spread: str,
    linked: bool,
    look: int,
    bootstrap: object,
    new_key: object,
) -> Wanted:
    from commonweight.market.errors import BadQuery
    from commonweight.market.offers import Sorting, sorted_offers
    from commonweight.market.renting.choosing import Spread
    from commonweight.market.renting.fleet import Wanted
    from commonweight.market.view.gathering import gather

    if spread not in tuple(Spread):
        raise BadQuery(f"--spread is {', '.join(Spread)}, not {spread!r}")

    def offers() -> Sequence[Offer]:
        found = gather(list(accounts.providers.values()), query, SECONDS)
        for failure in found.failed:
            mention("provider-failed", failure.to_json(), f"{failure.provider} is not asked: {failure.detail}")
        return sorted_offers(found.offers, Sorting.PRICE)

    return Wanted(count, offers, bootstrap, new_key, Spread(spread), linked, look)  # type: ignore[arg-type]


def _keeper(journal: Journal, accounts: Accounts, fleet: Fleet, wanted: Wanted) -> FleetKeeper:
    from commonweight.market.renting.fleet import FleetKeeper

    def report(event: str, about: str, sentence: str) -> None:
        tell({"event": event, "about": about, "detail": sentence}, [f"{event:<10} {about}  {sentence}"])

    return FleetKeeper(journal, accounts.providers, fleet.name, wanted, report)


def _keep(keeper: FleetKeeper, stop: threading.Event, journal: Journal, fleet: Fleet) -> None:
    """Look again and again, until all of it is over; told to end, the fleet ends first."""
    journal.fleet_begins(fleet)
    say(f"{fleet.name} begins; `commonweight market ps` shows its machines")
    while not keeper.look():
        if stop.wait(keeper.wanted.look_seconds if not stop.is_set() else 0):
            journal.fleet_ends(fleet.name)
            threading.Event().wait(min(5, keeper.wanted.look_seconds))
    tell({"event": "over", "fleet": fleet.name}, [f"{fleet.name} is over: no machine of it is left"])
