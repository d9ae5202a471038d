"""The renter's accounts: a key by file for each provider, and the addresses where they answer.

Keys are in `keys/NAME` of the market's folder, mode 0600, or where the provider's own program keeps its key. An address
comes from a variable where that is set. Neither is ever an option of a command.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from commonweight.market.calling.calls import read_key
from commonweight.market.errors import BadQuery, KeyMissing
from commonweight.market.network.provider import Network
from commonweight.market.offers import NETWORK
from commonweight.market.provider import Provider
from commonweight.market.providers.akash import URL as AKASH
from commonweight.market.providers.akash import Akash
from commonweight.market.providers.dstack import Dstack
from commonweight.market.providers.ionet import URL as IONET
from commonweight.market.providers.ionet import IoNet
from commonweight.market.providers.lambda_cloud import URL as LAMBDA
from commonweight.market.providers.lambda_cloud import LambdaCloud
from commonweight.market.providers.price_lists import NAMES, PriceList
from commonweight.market.providers.vast import URL as VAST
from commonweight.market.providers.vast import Vast
from contracts.files.whole_file import create_file
from contracts.process.http_url import require_http_url

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
PROJECT_VARIABLE = "COMMONWEIGHT_MARKET_DSTACK_PROJECT"


@dataclass(frozen=True)
class Account:
    """How a provider is opened. `variable` overrides its address `url`, which is empty where the user has to say it;
    `own` is where its own program keeps its key, below the home folder. With `makes_key` a missing key is made: one of
    the renter's own, without funds. One that `keeps` something
    is opened with the market's folder, too."""

    name: str
    url: str
    make: Callable[..., Provider]
    variable: str
    own: str = ""
    makes_key: bool = False
    keeps: bool = False

    def opened(self, url: str, key: str, folder: Path) -> Provider:
        """The provider."""
        return self.make(url, key, folder) if self.keeps else self.make(url, key)


def _dstack(url: str, key: str) -> Provider:
    return Dstack(url, key, os.environ.get(PROJECT_VARIABLE, "main"))


ACCOUNTS: Mapping[str, Account] = {
    account.name: account
    for account in (
        Account("akash", AKASH, Akash, "COMMONWEIGHT_MARKET_AKASH_URL"),
        Account("ionet", IONET, IoNet, "COMMONWEIGHT_MARKET_IONET_URL"),
        Account("vast", VAST, Vast, "COMMONWEIGHT_MARKET_VAST_URL", ".config/vastai/vast_api_key"),
        Account("lambda", LAMBDA, LambdaCloud, "COMMONWEIGHT_MARKET_LAMBDA_URL"),
        Account("dstack", "", _dstack, "COMMONWEIGHT_MARKET_DSTACK_URL"),
        Account(NETWORK, "", Network, "COMMONWEIGHT_MARKET_NETWORK_URL", makes_key=True, keeps=True),
    )
}


@dataclass(frozen=True)
class Accounts:
    """The providers that can be asked, by name, and why others cannot. `lists` only show prices."""

    providers: Mapping[str, Provider]
    missing: Mapping[str, str]
    lists: tuple[Provider, ...] = ()


def open_accounts(folder: Path, names: Iterable[str] = (), lists: bool = False) -> Accounts:
    """The accounts of these names, or of all. Raises BadQuery for a name that is none, and KeyMissing where a provider
    that was named has no key."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in ACCOUNTS]
    if unknown:
        raise BadQuery(f"{unknown[0]!r} is not a provider here; the providers are {', '.join(ACCOUNTS)}")
    providers: dict[str, Provider] = {}
    missing: dict[str, str] = {}
    for account in ACCOUNTS.values():
        if wanted and account.name not in wanted:
            continue
        try:
            providers[account.name] = account.opened(_url(account), _key(account, folder), folder)
        except KeyMissing as error:
            if wanted:
                raise
            missing[account.name] = error.detail
    return Accounts(providers, missing, tuple(PriceList(name) for name in NAMES) if lists else ())


def _url(account: Account) -> str:
    given = os.environ.get(account.variable, "")
    if not given and not account.url:
        raise KeyMissing(f"{account.name} has no URL: set {account.variable}")
    try:
        return require_http_url(given or account.url)
    except ValueError as error:
        raise BadQuery(f"{account.variable}: {error}") from None


def _key(account: Account, folder: Path) -> str:
    file = folder / "keys" / account.name
    own = Path.home() / account.own if account.own else None
    if own is not None and own.is_file() and not file.is_file():
        return read_key(own, account.name)
    if account.makes_key and not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process has made it
            create_file(file, f"{token_hex(32)}\n".encode(), 0o600)
    if file.is_file() and stat.S_IMODE(file.stat().st_mode) & _OTHERS:
        raise KeyMissing(f"others can read {file}: chmod 600 {file}")
    return read_key(file, account.name)
