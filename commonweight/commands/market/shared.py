"""Options that commands of the market share, and what they open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.terminal.console import mention
from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from commonweight.market.accounts import Accounts
    from commonweight.market.offers import Query
    from commonweight.market.renting.journal import Journal

FOLDER_VARIABLE = "COMMONWEIGHT_MARKET_FOLDER"

Gpu = Annotated[str, typer.Option(help="Kinds of GPU, with commas: H100,4090. Without it, any.")]
Gpus = Annotated[str, typer.Option(help="GPUs in one machine: 8, or 1-8.")]
Where = Annotated[str, typer.Option(help="Regions or countries, with commas: EU, NORTH-AMERICA, DE,US. Else anywhere.")]
Security = Annotated[str, typer.Option(help="The least level of the host: datacenter, known or community.")]
MaxPrice = Annotated[str, typer.Option(help="The most per GPU and hour, in US dollars.")]
Providers = Annotated[
    list[str] | None, typer.Option("--provider", help="Only this provider; the option may come several times.")
]
Disk = Annotated[int, typer.Option(min=1, max=100_000, help="Gigabytes of disk that prices include.")]
Traffic = Annotated[int, typer.Option(min=0, max=10_000, help="Gigabytes an hour, each way, that prices include.")]
Memory = Annotated[int, typer.Option(min=0, max=1_000, help="The least memory of a GPU, in gigabytes.")]
Steady = Annotated[bool, typer.Option("--steady", help="Leave out machines that the provider may take back.")]
MarketFolder = Annotated[
    Path | None,
    typer.Option(
        "--folder", envvar=FOLDER_VARIABLE, file_okay=False, help="Keys of providers, journal, keys of rented nodes."
    ),
]


class NoHome(CommonweightError):
    """A user without a home has to name a folder."""

    code = "no-market-folder"


def market_folder(given: Path | None) -> Path:
    """The market's folder, there and of mode 0700. Raises NoHome."""
    from commonweight.model.known_model import home

    base = home()
    if given is None and base is None:
        raise NoHome(f"this user has no home folder: name one by --folder or {FOLDER_VARIABLE}")
    folder = given if given is not None else base / "market"  # type: ignore[operator]
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    return folder


def open_journal(folder: Path) -> Journal:
    """The renter's journal."""
    from commonweight.market.renting.journal import Journal

    return Journal(folder / "journal.db")


def open_providers(folder: Path, names: list[str] | None, lists: bool = False) -> Accounts:
    """The accounts that can be asked; those without a key are mentioned. Raises KeyMissing where there is none."""
    from commonweight.market.accounts import open_accounts
    from commonweight.market.errors import KeyMissing

    accounts = open_accounts(folder, names or (), lists)
    if not accounts.providers and not accounts.lists:
        raise KeyMissing(f"no provider has a key in {folder / 'keys'}: a file of mode 0600 for each, named as it is")
    for name, why in accounts.missing.items():
        mention("provider-not-asked", {"provider": name, "why": why}, f"{name} is not asked: {why}")
    return accounts


def read_query(
    gpu: str,
    gpus: str,
    where: str,
    security: str,
    max_price: str,
    disk: int,
    traffic: int,
    memory: int,
    steady: bool,
) -> Query:
    """The query of these options. Raises BadQuery and BadPrice."""
    from commonweight.market.errors import BadQuery
    from commonweight.market.money import NOTHING, micro_usd
    from commonweight.market.offers import Level, query_of

    if security not in tuple(Level):
        raise BadQuery(f"--security is {' or '.join(Level)}, not {security!r}")
    return query_of(
        gpu,
        gpus,
        where,
        level=Level(security),
        max_price=micro_usd(max_price, "--max-price") if max_price else NOTHING,
        disk_gb=disk,
        traffic_gb=traffic,
        gpu_memory_gb=memory,
        interruptible=not steady,
    )
