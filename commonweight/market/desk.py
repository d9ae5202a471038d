"""The renter's desk: folder, journal and accounts of the market's commands, and what they mention."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from commonweight.market.accounts import ACCOUNTS, Accounts, open_accounts
from commonweight.market.errors import BadQuery, KeyMissing, MarketError
from commonweight.market.money import NOTHING, micro_usd
from commonweight.market.offers import Level, Query, query_of
from commonweight.market.provider import Provider
from commonweight.market.renting.journal import Journal
from commonweight.market.renting.reconciling import reconcile
from commonweight.market.run_side import RunSide
from commonweight.market.view.gathering import Gathered, gather
from commonweight.market.view.measured import Yield, yields
from commonweight.terminal.console import complain_of_weather, mention

FOLDER_VARIABLE = "COMMONWEIGHT_MARKET_FOLDER"
SECONDS = 20.0
"""For the offers of all providers together."""


class NoMarketFolder(MarketError):
    """A user without a home has to name a folder."""

    code = "no-market-folder"


def market_folder(given: Path | None) -> Path:
    """The market's folder, there and of mode 0700. Raises NoMarketFolder."""
    from commonweight.model.known_model import home

    base = home()
    if given is None and base is None:
        raise NoMarketFolder(f"this user has no home folder: name one by --folder or {FOLDER_VARIABLE}")
    folder = given or Path(base or "") / "market"
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    return folder


def open_journal(folder: Path) -> Journal:
    """The renter's journal."""
    return Journal(folder / "journal.db")


def open_providers(folder: Path, names: Iterable[str] | None, lists: bool = False) -> Accounts:
    """The accounts that can be asked; those without a key are mentioned. Raises KeyMissing where there is none."""
    accounts = open_accounts(folder, names or (), lists)
    if not accounts.providers and not accounts.lists:
        raise KeyMissing(
            f"no provider has a key in {folder / 'keys'}: put a file of mode 0600 there, named like the provider"
        )
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
    """The query of a command's options, as they are called. Raises BadQuery and BadPrice."""
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


def gathered(providers: Sequence[Provider], query: Query, seconds: float = SECONDS) -> Gathered:
    """The offers of all of them; providers that failed or were late are mentioned."""
    found = gather(providers, query, seconds)
    for failure in found.failed:
        line = f"{failure.provider} is not in this view: {failure.detail}"
        mention("provider-failed", failure.to_json(), line)
    return found


def rates(folder: Path, api: str, run: str) -> Mapping[str, Yield]:
    """What this renter's machines yield in a run, nothing without one. Raises ApiProblem and ApiUnreachable."""
    return rates_in(folder, api, run)()


def rates_in(folder: Path, api: str, run: str) -> Callable[[], Mapping[str, Yield]]:
    """The same as often as it is asked for; what was read of the run's proofs is not read again. Raises ApiUnreachable
    at the first question, where there is no such server."""
    sides: list[RunSide] = []

    def read() -> Mapping[str, Yield]:
        if not run:
            return {}
        sides[:] = sides or [RunSide(api, run)]
        return _rates(folder, run, sides[0])

    return read


def _rates(folder: Path, run: str, side: RunSide) -> Mapping[str, Yield]:
    journal = open_journal(folder)
    fleets = {fleet.name for fleet in journal.fleets() if fleet.run == run}
    rentals = [rental for rental in journal.rentals() if rental.fleet in fleets]
    return yields(rentals, side.work(), journal.clock()) if rentals else {}


def look(journal: Journal, folder: Path) -> None:
    """Follow every account that has a key, and end what nobody owns: what the journal thinks over may still be billed,
    or come late. An account that cannot be asked hides no other, and is named where something is rented there."""
    owed = {rental.provider for rental in journal.rentals() if not rental.is_done}
    for name in sorted(owed - set(ACCOUNTS)):
        complain_of_weather(f"{name} cannot be asked: there is no such provider here")
    found = reconcile(journal, list(_askable(folder, owed)))
    for provider, why in found.unasked:
        complain_of_weather(f"{provider} cannot be asked: {why}")
    for tag, machine in found.unclear:
        mention("unclear", {"rental": tag, "machine": machine.name}, f"{machine.name} may be the machine of {tag}")


def _askable(folder: Path, owed: Collection[str]) -> Iterator[Provider]:
    for name in ACCOUNTS:
        try:
            yield open_accounts(folder, [name]).providers[name]
        except (KeyMissing, BadQuery) as error:
            if name in owed:
                complain_of_weather(f"{name} cannot be asked: {error.detail}")
