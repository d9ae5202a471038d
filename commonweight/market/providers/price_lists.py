"""List prices of clouds that have no adapter of their own here, by the library gpuhunt: a price, and no availability.

Each cloud is a source of its own, so that one whose list cannot be had is named, and hides no other. Vast.ai and Lambda
are left out: their own adapters show what can be rented. The library answers a list that it never got like an empty
one; here that is a failure. Prices are those of the bare machine: what storage and traffic cost, the lists do not say.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from commonweight.market.errors import (
    BadPrice,
    BadQuery,
    KeyMissing,
    ProviderAway,
    RequestRefused,
)
from commonweight.market.gpus import gpu_name
from commonweight.market.money import MicroUsd, micro_usd
from commonweight.market.offers import Offer, OfferKind, Price, Query
from commonweight.market.provider import Bootstrap, Machine, Noted, ProviderFacts
from commonweight.market.providers.clouds import security_of
from commonweight.market.providers.regions import country_in
from commonweight.terminal.failures import as_refusal
from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from gpuhunt import Catalog, CatalogItem

logger = logging.getLogger(__name__)
ELSEWHERE = {"vastai": "vast", "lambdalabs": "lambda"}
"""Clouds that the library lists and that have a live adapter here, by that adapter's name."""
PUBLISHED = ("aws", "azure", "cloudrift", "gcp", "nebius", "oci", "runpod", "verda")
"""Read from a list that the library's makers publish."""
ASKED = ("crusoe", "daytona", "digitalocean", "hotaisle", "jarvislabs", "lium", "seeweb", "vultr")
"""Asked at the cloud itself; some want a key in an environment variable of the library's."""
NAMES = tuple(sorted((*PUBLISHED, *ASKED)))
LIST_SECONDS = 20.0
KEPT_SECONDS = 15 * 60
"""A published list changes a few times a day."""
FOLDER = "GPUHUNT_CATALOG_DIR"


def price_lists(names: Sequence[str] = NAMES, seconds: float = LIST_SECONDS) -> tuple[PriceList, ...]:
    """One source for each cloud. Raises BadQuery for an unknown name, and PartMissing without gpuhunt."""
    for name in names:
        if name in ELSEWHERE:
            raise BadQuery(f"{name} has a live adapter here: ask {ELSEWHERE[name]} for what can be rented")
        if name not in NAMES:
            raise BadQuery(f"{name!r} has no price list here; known are {', '.join(NAMES)}")
    if importlib.util.find_spec("gpuhunt") is None:  # loaded later, by the threads that need it
        raise as_refusal(ModuleNotFoundError("No module named 'gpuhunt'", name="gpuhunt"))
    return tuple(PriceList(name, seconds) for name in names)


class PriceList:
    """One cloud's list prices. It rents nothing."""

    def __init__(self, name: str, seconds: float = LIST_SECONDS) -> None:
        self._name = name
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[float, int, list[CatalogItem]] | None = None

    @property
    def facts(self) -> ProviderFacts:
        """A list has no account."""
        return ProviderFacts(self._name, tagged=False, kyc="", pays=(), api="gpuhunt 0.1.34")

    def offers(self, query: Query) -> list[Offer]:
        """Rows of the list, as `list-price`. Raises ProviderAway where there is no list, KeyMissing where the cloud
        wants a key for it."""
        if OfferKind.LIST not in query.kinds:
            return []
        seen_at, items = self._items()
        near = [item for item in items if query.least <= item.gpu_count <= query.most]
        return [offer for offer in self._readable(near, seen_at) if query.takes(offer)]

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:  # noqa: ARG002
        """Raises RequestRefused."""
        self._rents_nothing()

    def machines(self) -> list[Machine]:
        """Raises RequestRefused."""
        self._rents_nothing()

    def terminate(self, machine: str) -> None:  # noqa: ARG002
        """Raises RequestRefused."""
        self._rents_nothing()

    def spent(self, machine: str) -> MicroUsd | None:  # noqa: ARG002
        """Raises RequestRefused."""
        self._rents_nothing()

    def logs(self, machine: str) -> str:  # noqa: ARG002
        """Raises RequestRefused."""
        self._rents_nothing()

    def _rents_nothing(self) -> NoReturn:
        raise RequestRefused(f"the price list of {self._name} shows prices and rents nothing")

    def _items(self) -> tuple[int, list[CatalogItem]]:
        with self._lock:
            if self._kept is None or self._name in ASKED or time.monotonic() - self._kept[0] > KEPT_SECONDS:
                items = _within(self._seconds, self._read, f"the price list of {self._name}")
                self._kept = time.monotonic(), int(time.time()), items
            return self._kept[1], self._kept[2]

    def _read(self) -> list[CatalogItem]:
        try:
            found: list[CatalogItem] = self._catalog().query(provider=self._name)
        except CommonweightError:
            raise
        except Exception as error:  # whatever the library or one of its clouds did
            raise ProviderAway(f"the price list of {self._name} cannot be had: {_reason(error)}") from None
        if not found and self._name in PUBLISHED:
            raise ProviderAway(f"the price list of {self._name} is empty")
        return found

    def _catalog(self) -> Catalog:
        catalog: Catalog = _gpuhunt().Catalog(auto_reload=False)
        if self._name in ASKED:
            catalog.add_provider(_asked(self._name))
        elif FOLDER not in os.environ:
            # Catalog.load() waits for all clouds at once and without a bound, and tells of none that failed.
            inner = importlib.import_module("gpuhunt._internal.catalog")
            loaded = catalog._load_provider(inner._get_base_url(), self._name, None)
            assert loaded is not None
            catalog.catalog[self._name] = loaded
            catalog.loaded_at = time.monotonic()  # type: ignore[assignment]  # annotated as None there
        return catalog

    def _readable(self, items: Sequence[CatalogItem], seen_at: int) -> Iterator[Offer]:
        for item in items:
            try:
                yield self._offer(item, seen_at)
            except BadPrice as error:
                logger.warning("the price list of %s: a row is left out: %s", self._name, error.detail)

    def _offer(self, item: CatalogItem, seen_at: int) -> Offer:
        return Offer(
            provider=self._name,
            name=f"{item.instance_name}@{item.location}" + ("/spot" if item.spot else ""),
            gpu=gpu_name(item.gpu_name or ""),
            gpus=item.gpu_count,
            price=Price(_price(item.price, f"{item.instance_name} in {item.location}")),
            security=security_of(self._name),
            seen_at=seen_at,
            kind=OfferKind.LIST,
            variant=item.gpu_name or "",
            gpu_memory_gb=int(item.gpu_memory or 0),
            country=country_in(item.location),
            place=item.location,
            cpus=item.cpu,
            memory_gb=int(item.memory),
            disk_gb=int(item.disk_size or 0),
            interruptible=item.spot,
        )


def _price(dollars: float, what: str) -> MicroUsd:
    """The library has floats, whose shortest text is what the cloud wrote."""
    try:
        price = micro_usd(Decimal(str(dollars)), f"the price of {what}")
    except InvalidOperation:
        raise BadPrice(f"the price of {what} is no number") from None
    if not price:
        raise BadPrice(f"the price of {what} is nothing at all")
    return price


def _gpuhunt() -> ModuleType:
    try:
        return importlib.import_module("gpuhunt")
    except ModuleNotFoundError as error:
        raise as_refusal(error) from None


def _asked(name: str) -> Any:
    """The library's own adapter of a cloud, with the key from its environment variable. Raises KeyMissing."""
    module = importlib.import_module(f"gpuhunt.providers.{name}")
    kind: Any = next(one for one in vars(module).values() if getattr(one, "NAME", "") == name)
    try:
        return kind.from_env()
    except _gpuhunt().MissingCredsError as error:
        raise KeyMissing(f"the price list of {name} wants a key: {error}") from None


def _within(seconds: float, read: Callable[[], list[CatalogItem]], what: str) -> list[CatalogItem]:
    """The library reads without a bound, so a thread does it that nobody waits for longer than this."""
    found: list[list[CatalogItem]] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            found.append(read())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise ProviderAway(f"{what} is not there after {seconds:g} seconds")
    return found[0]


def _reason(error: Exception) -> str:
    """The first words of an error; its address may have a key in it."""
    return f"{type(error).__name__}: {error}".partition("?")[0][:120]
