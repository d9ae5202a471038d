"""`commonweight market`: compute of many providers, for a run or for anything else."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.network import measure, offer
from commonweight.terminal.console import tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import DEFAULT_API, Api, DeploymentFile, read_address, read_run, read_url_or_none

app = typer.Typer(
    no_args_is_help=True,
    help="Compute of many providers: compare, rent within a budget, and end. Keys of providers are files on this "
    "machine (docs/market.md).",
)
Gpu = Annotated[str, typer.Option(help="Kinds of GPU, with commas: H100,4090. Default: any.")]
Gpus = Annotated[str, typer.Option(help="Number of GPUs in one machine: 8, or 1-8.")]
Where = Annotated[
    str, typer.Option(help="Regions or countries, with commas: EU, NORTH-AMERICA, DE,US. Default: anywhere.")
]
Security = Annotated[str, typer.Option(help="Lowest level of the host: datacenter, known or community.")]
MaxPrice = Annotated[str, typer.Option(help="Highest price per GPU and hour, in US dollars.")]
Providers = Annotated[
    list[str] | None, typer.Option("--provider", help="Name of a provider to ask; repeat for more. Default: all.")
]
Disk = Annotated[int, typer.Option(min=1, max=100_000, help="Gigabytes of disk that prices include.")]
Traffic = Annotated[
    int, typer.Option(min=0, max=10_000, help="Gigabytes of traffic an hour, each way, that prices include.")
]
Memory = Annotated[int, typer.Option(min=0, max=1_000, help="Lowest memory of a GPU, in gigabytes.")]
Steady = Annotated[bool, typer.Option("--steady", help="Leave out machines that the provider may take back.")]
Place = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        envvar="COMMONWEIGHT_MARKET_FOLDER",
        file_okay=False,
        help="Folder for keys of providers, the journal, and keys of rented nodes.",
    ),
]
Count = Annotated[int, typer.Option("--count", min=1, max=128, help="GPUs in all.")]
Budget = Annotated[str, typer.Option(help="Highest total cost, in US dollars: 50, or 50USD.")]
Hours = Annotated[float, typer.Option(min=0.1, max=2_000, help="Hours after which all machines are ended.")]
SpreadOver = Annotated[
    str, typer.Option("--spread", help="How machines are spread: none, place (countries) or provider.")
]
Linked = Annotated[
    bool, typer.Option("--linked", help="Take only machines whose GPUs are joined by a fast link, all in one offer.")
]
Image = Annotated[str, typer.Option(help="Container image, for providers that run containers.")]
PublicKey = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="SSH public key that may log in to the machines.")
]
LookSeconds = Annotated[int, typer.Option("--look", min=1, max=600, help="Seconds between two looks at the machines.")]
Every = Annotated[bool, typer.Option("--all", help="Also show machines that have ended.")]
RentalName = Annotated[str, typer.Argument(metavar="RENTAL", help="Name of a rental, as `market ps` prints it.")]


@app.command("offers")
def offers(
    gpu: Gpu = "",
    gpus: Gpus = "1-8",
    where: Where = "",
    security: Security = "community",
    max_price: MaxPrice = "",
    sort: Annotated[str, typer.Option(help="Order of the rows: price, token-price, reliability or memory.")] = "price",
    lowest: Annotated[bool, typer.Option("--lowest", help="Show only the best offer.")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="Number of rows to show.")] = 40,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show a second table: disk, bandwidth, identity papers, coins.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(min=0.5, max=120, help="Seconds to wait for all providers; providers that are later are named."),
    ] = 8,
    lists: Annotated[
        bool, typer.Option("--lists", help="Also show list prices of clouds, and prices that were paid lately.")
    ] = False,
    run: Annotated[str, typer.Option(help="Id of a run; your machines in it give the price of verified tokens.")] = "",
    api: Api = DEFAULT_API,
    provider: Providers = None,
    disk: Disk = 50,
    traffic: Traffic = 1,
    memory: Memory = 0,
    steady: Steady = False,
    folder: Place = None,
) -> None:
    """Show current offers with their whole prices. Your key of a provider is sent to this provider only."""
    from commonweight.market.desk import gathered, market_folder, open_providers, rates, read_query
    from commonweight.market.errors import BadQuery, NoOfferFits
    from commonweight.market.offers import SHOWN, OfferKind, Sorting, sorted_offers
    from commonweight.market.view.rows import document, table, terms_table

    if sort not in tuple(Sorting):
        raise BadQuery(f"--sort is {', '.join(Sorting)}, not {sort!r}")
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    home = market_folder(folder)
    accounts = open_providers(home, provider, lists)
    every = replace(query, kinds=frozenset(OfferKind) if lists else SHOWN)
    found = gathered([*accounts.providers.values(), *accounts.lists], every, wait)
    seen = rates(home, api, read_run(run) if run else "")
    by_kind = {name: rate.median for name, rate in seen.items()}
    rows = sorted_offers(found.offers, Sorting(sort), by_kind)[: 1 if lowest else most]
    if not rows:
        place = f" in {where}" if where else ""
        raise NoOfferFits(f"no offer{place} has the properties that you asked for; --lists shows prices of more clouds")
    now = int(time.time())
    documents = [document(row, accounts.providers.get(row.provider), seen, now) for row in rows]
    shown = [table(rows, seen, now), *([terms_table(rows, accounts.providers)] if wide else [])]
    tell(documents, [*shown, f"{len(rows)} of {len(found.offers)} offers"])


@app.command("join")
def join(
    run: Annotated[str, typer.Argument(parser=read_run, metavar="RUN", help="Id of the run, as `run list` prints it.")],
    payout: Annotated[
        str, typer.Option(parser=read_address, metavar="ADDRESS", help="Address that the nodes' pay goes to.")
    ],
    budget: Budget,
    hours: Hours,
    deployment: DeploymentFile,
    package: Annotated[
        str,
        typer.Option(
            help="Package that pip installs on a machine: a requirement, the URL of a wheel, or a wheel on this disk."
        ),
    ],
    package_sha256: Annotated[str, typer.Option(help="SHA-256 of the wheel, which is checked.")] = "",
    package_url: Annotated[
        str,
        typer.Option(
            parser=read_url_or_none, metavar="URL", help="Address of this machine, for a wheel that it serves."
        ),
    ] = "",
    package_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port that serves such a wheel.")] = 8871,
    api: Api = DEFAULT_API,
    rpc_url: Annotated[
        str, typer.Option("--rpc-url", help="JSON-RPC address of a chain node that the machines can reach.")
    ] = "",
    gpu: Gpu = "",
    gpus: Gpus = "1-8",
    count: Count = 1,
    where: Where = "",
    security: Security = "community",
    max_price: MaxPrice = "",
    spread: SpreadOver = "none",
    linked: Linked = False,
    drain: Annotated[
        int, typer.Option(min=0, max=86_400, help="Seconds in which nodes finish their duties before they end.")
    ] = 300,
    device: Annotated[str, typer.Option(help="Device of the nodes.")] = "cuda",
    node_option: Annotated[
        list[str] | None, typer.Option(help="Further option for `commonweight node`; repeat for more.")
    ] = None,
    image: Image = "",
    public_key: PublicKey = None,
    provider: Providers = None,
    disk: Disk = 50,
    traffic: Traffic = 1,
    memory: Memory = 0,
    steady: Steady = False,
    look: LookSeconds = 20,
    folder: Place = None,
) -> None:
    """Rent machines that train in a run: watched until their first accepted proof, replaced, and ended at budget, hours
    or the end of the run.

    No secret but a fresh key without funds for each GPU leaves this machine. Ctrl-C ends the fleet. If this process is
    killed, `market ps` ends the machines.
    """
    from commonweight.market.desk import market_folder, open_journal, open_providers, read_query
    from commonweight.market.hiring import LAST_SECONDS, Hiring, keep, keeper_of, new_fleet, wanted
    from commonweight.market.renting.bootstrap import IMAGE, Joining, joining, new_node_key
    from commonweight.market.run_side import RunSide
    from commonweight.market.wheel import reachable
    from contracts.ids import as_address

    stop = heed_signals()
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    home = market_folder(folder)
    accounts = open_providers(home, provider)
    journal = open_journal(home)
    fleet = new_fleet(journal, budget, hours, drain, run)
    side = RunSide(api, run)
    side.require_open()
    served = ExitStack()
    wheel = served.enter_context(reachable(package, package_sha256, package_url, package_port))
    terms = Joining(
        api=api,
        run=run,
        payout=as_address(payout),
        deployment=deployment.read_text(),
        package=wheel.what,
        package_sha256=wheel.sha256,
        rpc_url=rpc_url,
        device=device,
        image=image or IMAGE,
        public_key=public_key.read_text().strip() if public_key else "",
        arguments=tuple(node_option or ()),
        leave_after=max(60, int(hours * 3600) - drain),
    )
    seconds = fleet.ends_at - journal.clock() + drain + LAST_SECONDS
    joining(terms, [], seconds)  # a text that no machine can carry is refused before anything is rented
    wants = wanted(
        accounts,
        query,
        Hiring(count, spread, linked, look),
        lambda tag, keys: joining(terms, keys, seconds),  # noqa: ARG005
        lambda: new_node_key(home / "nodes"),
    )
    keeper = keeper_of(journal, accounts, fleet, wants)
    keeper.proofs, keeper.is_over = side.first_proofs, side.is_over
    keeper.diverted = lambda nodes: side.diverted(nodes, as_address(payout))
    with served:
        keep(keeper, stop.watched(), fleet)


@app.command("rent")
def rent(
    budget: Budget,
    hours: Hours,
    script: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Shell script that each machine runs once.")
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
    look: LookSeconds = 20,
    folder: Place = None,
) -> None:
    """Rent machines for any other work; `market ps` and `market ssh` show how to reach them.

    They end at budget or hours, or with this process.
    """
    from commonweight.market.desk import market_folder, open_journal, open_providers, read_query
    from commonweight.market.hiring import Hiring, keep, keeper_of, new_fleet, wanted
    from commonweight.market.provider import Bootstrap
    from commonweight.market.renting.bootstrap import IMAGE

    stop = heed_signals()
    query = read_query(gpu, gpus, where, security, max_price, disk, traffic, memory, steady)
    home = market_folder(folder)
    accounts = open_providers(home, provider)
    journal = open_journal(home)
    fleet = new_fleet(journal, budget, hours)
    text = script.read_text() if script else "#!/bin/sh\nsleep infinity\n"
    bootstrap = Bootstrap(
        text, image or IMAGE, public_key.read_text().strip() if public_key else "", (), int(hours * 3600)
    )
    wants = wanted(accounts, query, Hiring(count, spread, linked, look), lambda tag, keys: bootstrap, None)  # noqa: ARG005
    keep(keeper_of(journal, accounts, fleet, wants), stop.watched(), fleet)


@app.command("ps")
def ps(every: Every = False, folder: Place = None) -> None:
    """Show every machine with its bill, and end machines that no fleet owns any more."""
    from commonweight.market.desk import look, market_folder, open_journal
    from commonweight.market.view.machines import document, line

    home = market_folder(folder)
    journal = open_journal(home)
    look(journal, home)
    now = journal.clock()
    rentals = [rental for rental in journal.rentals() if every or not rental.is_done]
    tell([document(rental, now) for rental in rentals], [line(rental, now) for rental in rentals] or ["no machine"])


@app.command("stop")
def stop(
    fleet: Annotated[
        str, typer.Argument(metavar="FLEET", help="Name of a fleet, as `market ps` prints it; or `all`.")
    ] = "",
    machine: Annotated[
        str, typer.Option("--machine", metavar="PROVIDER/NAME", help="Name of one machine to end, whoever rented it.")
    ] = "",
    folder: Place = None,
) -> None:
    """End machines: those of a fleet, of all fleets, or one of a provider. `market ps` shows their ends."""
    from commonweight.market.desk import look, market_folder, open_journal, open_providers
    from commonweight.market.view.machines import document, line

    home = market_folder(folder)
    if not fleet and not machine:
        raise typer.BadParameter("must be the name of a fleet or `all`; or give --machine", param_hint="FLEET")
    if machine:
        name, _, own = machine.partition("/")
        open_providers(home, [name]).providers[name].terminate(own)
        tell({"ended": machine}, [f"{name} was told to end {own}"])
        return
    journal = open_journal(home)
    names = [one.name for one in journal.fleets() if not one.is_over] if fleet == "all" else [fleet]
    for name in names:
        journal.fleet_ends(name)
    look(journal, home)
    now = journal.clock()
    left = [one for one in journal.rentals() if one.fleet in names and not one.is_done]
    tell([document(one, now) for one in left], [f"{len(left)} machines are ending", *(line(one, now) for one in left)])


@app.command("cost")
def cost(every: Every = False, folder: Place = None) -> None:
    """Show the highest possible cost of each fleet by now, its budget, and the bills of the providers."""
    from commonweight.market.desk import look, market_folder, open_journal
    from commonweight.market.view.machines import fleet_document, fleet_line

    home = market_folder(folder)
    journal = open_journal(home)
    look(journal, home)
    now = journal.clock()
    fleets = [(fleet, journal.rentals(fleet.name)) for fleet in journal.fleets()]
    shown = [(f, rs) for f, rs in fleets if every or not f.is_over or not all(one.is_done for one in rs)]
    tell([fleet_document(*one, now) for one in shown], [fleet_line(*one, now) for one in shown] or ["no fleet"])


@app.command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on 127.0.0.1 to listen on.")] = 8870,
    lists: Annotated[bool, typer.Option("--lists", help="Also serve list prices of clouds.")] = False,
    run: Annotated[str, typer.Option(help="Id of a run; your machines in it give the price of verified tokens.")] = "",
    api: Api = DEFAULT_API,
    provider: Providers = None,
    folder: Place = None,
) -> None:
    """Serve offers and machines over HTTP to pages and scripts on this machine. It answers nobody else, and changes
    nothing."""
    from commonweight.market.desk import market_folder, open_providers, rates_in
    from commonweight.market.serving import market_app
    from commonweight.terminal.serving import serve_until

    stop = heed_signals()
    home = market_folder(folder)
    app_ = market_app(
        open_providers(home, provider, lists), home, rates=rates_in(home, api, read_run(run) if run else "")
    )
    serve_until(stop, app_, "127.0.0.1", port)


@app.command("logs")
def logs(rental: RentalName, folder: Place = None) -> None:
    """Show the last lines of a machine's output, from its provider."""
    from commonweight.market.desk import market_folder, open_journal, open_providers

    home = market_folder(folder)
    found = open_journal(home).rental(rental)
    text = open_providers(home, [found.provider]).providers[found.provider].logs(found.machine)
    tell({"rental": rental, "text": text}, text.splitlines())


@app.command("ssh")
def ssh(rental: RentalName, folder: Place = None) -> None:
    """Print the command that logs in to a machine: `$(commonweight market ssh RENTAL)` runs it."""
    from commonweight.market.desk import market_folder, open_journal
    from commonweight.market.errors import UnknownRental

    found = open_journal(market_folder(folder)).rental(rental)
    if not found.reach:
        raise UnknownRental(f"{rental} is {found.standing}, and its provider has not said how to reach it")
    tell({"rental": rental, "reach": found.reach}, [found.reach])


app.command("offer")(offer.offer)
app.command("measure")(measure.measure)
