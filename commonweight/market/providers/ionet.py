"""io.net by its API for containers (CaaS): whole hours paid ahead, on machines that anybody may have added.

Prices are quoted with every fee before anything is sent. No call has an idempotency key, so a deployment carries the
launch's tag as its name, by which the account's list shows it. A deployment ends by itself with its booked hours.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from commonweight.market.calling.calls import CALL_SECONDS, Calls, Json, words
from commonweight.market.calling.rows import as_list, readable
from commonweight.market.errors import (
    BadPrice,
    CreditShort,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RequestRefused,
)
from commonweight.market.money import HOUR, MOST_PER_HOUR, NOTHING, MicroUsd, dollars, micro_usd
from commonweight.market.offers import Offer, Price, Query
from commonweight.market.provider import Bootstrap, Machine, MachineState, Noted, ProviderFacts
from commonweight.market.providers.ionet_rows import (
    ENDED,
    NAME,
    STATES,
    Hardware,
    hardware_of,
    listed,
    log_lines,
    machine_of,
    status_of,
)

logger = logging.getLogger(__name__)
URL = "https://api.io.solutions"
CAAS = "/enterprise/v1/io-cloud/caas"
FACTS = ProviderFacts(
    name=NAME,
    tagged=True,
    kyc="not said",
    pays=("card", "USDC", "IO"),
    api="io-cloud enterprise v1 CaaS, as ionet-cloud 0.4.1 has it",
    booked_seconds=HOUR,
)
PAGE, MOST_PAGES = 100, 100
MOST_QUOTES = 40
"""A view asks for so many prices at most, the cheapest by the list."""
IDLE_PORT = 8080
"""A container must name a port, even where nothing listens."""
LOG_LINES = 200


class _Gone(RequestRefused):
    """There is no such deployment."""


class IoNet:
    """An account at io.net, whose launches book so many whole `hours`."""

    def __init__(self, url: str, key: str, seconds: float = CALL_SECONDS, hours: int = 1) -> None:
        self._calls = Calls("io.net", url.rstrip("/") + CAAS, {"x-api-key": key}, _refuse, seconds)
        self._hours = hours

    @property
    def facts(self) -> ProviderFacts:
        """What is known before any call."""
        return replace(FACTS, booked_seconds=self._hours * HOUR)

    def offers(self, query: Query) -> list[Offer]:
        """What is free, each at io.net's quote with all fees. A row whose quote is refused is left out."""
        every = [offer for row in self._hardware() for offer in listed(row, self._hours)]
        wanted = sorted(filter(replace(query, max_price=NOTHING).takes, every), key=lambda offer: offer.price.total)
        if len(wanted) > MOST_QUOTES:
            logger.warning("io.net: only the %d cheapest of %d offers are shown", MOST_QUOTES, len(wanted))
        return [offer for offer in self._quoted(wanted[:MOST_QUOTES]) if query.takes(offer)]

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """Books the hours, if the quote is no more than the offer. Raises OutOfStock, PriceRose and CreditShort."""
        row = self._row(offer)
        hourly = self._quote(row.wire, offer)
        if hourly > offer.price.total:
            raise PriceRose(f"io.net now asks {dollars(hourly)} an hour, not {dollars(offer.price.total)}")
        answer = self._calls.send("POST", "/deploy", self._request(row.wire, offer, bootstrap, tag))
        body = _object(_data(answer), "io.net's answer")
        if body.get("status") == "payment_required":
            # What is unpaid may stand in the list all the same.
            raise CreditShort("io.net asks for a payment: the credits are short", sent=True)
        name = body.get("deployment_id")
        if not isinstance(name, str) or not name:
            raise ProviderAway("io.net names no deployment in its answer", sent=True)
        noted(name)
        return name

    def machines(self) -> list[Machine]:
        """All deployments that have not ended, on all pages."""
        found: dict[str, Machine | None] = {}
        for page in range(1, MOST_PAGES + 1):
            data = _object(_data(self._calls.get("/deployments", page=page, page_size=PAGE)), "io.net's deployments")
            rows = as_list(data.get("deployments"), "io.net's deployments")
            total = data.get("total")
            if not isinstance(total, int) or isinstance(total, bool):
                raise ProviderAway("io.net does not say how many deployments there are", sent=True)
            found |= dict(map(machine_of, rows))
            if len(found) >= total:
                return [machine for machine in found.values() if machine is not None]
            if not rows:
                raise ProviderAway("io.net's list of deployments is cut", sent=True)
        raise ProviderAway("io.net's list of deployments has no end", sent=True)

    def terminate(self, machine: str) -> None:
        """Ends it. Hours that are paid come back as credits, or not at all: io.net's pages say both."""
        try:
            self._calls.send("DELETE", _path(machine))
        except _Gone:
            return
        except (ProviderAway, RequestRefused) as error:
            if self._is_ending(machine):
                return
            if isinstance(error, RequestRefused):
                raise
            with suppress(_Gone):
                self._calls.read("DELETE", _path(machine))

    def spent(self, machine: str) -> MicroUsd | None:
        """What was paid for it, which is all ahead."""
        try:
            details = self._details(machine)
        except _Gone:
            return None
        if details.get("amount_paid") is None:
            return None
        try:
            return micro_usd(details["amount_paid"], "what was paid", MOST_PER_HOUR * 8760)
        except BadPrice:
            return None

    def logs(self, machine: str) -> str:
        """The last lines of its first container. Raises RequestRefused before there is one."""
        answer = self._calls.get(f"{_path(machine)}/containers", page=1, page_size=PAGE)
        workers = as_list(_object(_data(answer), "io.net's containers").get("workers"), "io.net's containers")
        if not workers:
            raise RequestRefused(f"io.net shows no container of {machine[:60]} yet")
        container = _object(workers[0], "io.net's container").get("container_id")
        stream = self._calls.tail(f"{_path(machine)}/log/{quote(str(container), safe='')}", stream="stdout")
        return "\n".join(list(log_lines(stream))[-LOG_LINES:])

    def _hardware(self) -> list[Hardware]:
        rows = as_list(_data(self._calls.get("/hardware")), "io.net's hardware")
        return [row for row in readable(rows, hardware_of, "io.net's hardware") if row.available]

    def _quoted(self, offers: list[Offer]) -> Iterator[Offer]:
        for offer in offers:
            try:
                price = self._quote(_wire(offer), offer)
            except (OutOfStock, RequestRefused) as error:
                logger.warning("io.net: an offer is left out: %s", error.detail)
                continue
            yield replace(offer, price=Price(price))

    def _quote(self, wire: str | int, offer: Offer) -> MicroUsd:
        """An hour of an offer, all fees included. Raises OutOfStock where none is free, RequestRefused for an absurd
        quote."""
        params: dict[str, str | int] = {
            "hardware_id": wire,
            "duration_hours": self._hours,
            "gpus_per_container": offer.gpus,
            "replica_count": 1,
        }
        if offer.country:
            params["location_ids"] = json.dumps([offer.country])
        data = _object(_data(self._calls.get("/price", **params)), "io.net's quote")
        free = data.get("available_replica_count")
        if isinstance(free, list) and not any(isinstance(count, int) and count > 0 for count in free):
            raise OutOfStock(f"io.net has none of {offer.name} free")
        try:
            total = micro_usd(data.get("total_cost_usdc"), "io.net's quote", MOST_PER_HOUR * self._hours)
        except BadPrice as error:
            raise RequestRefused(error.detail) from None
        if total == NOTHING:
            raise RequestRefused("io.net's quote is 0, which is no price")
        return MicroUsd(-(-total // self._hours))

    def _row(self, offer: Offer) -> Hardware:
        for row in self._hardware():
            if (str(row.wire), row.place) == (_wire(offer), offer.place) and offer.gpus in row.sizes:
                return row
        raise OutOfStock(f"io.net has none of {offer.name[:60]} free")

    def _request(self, wire: str | int, offer: Offer, bootstrap: Bootstrap, tag: str) -> Json:
        container = {
            "replica_count": 1,
            "traffic_port": (bootstrap.ports or (IDLE_PORT,))[0],
            "env_variables": {"COMMONWEIGHT_TAG": tag},
            "entrypoint": ["bash", "-c"],
            "args": [bootstrap.script],
        }
        body = {
            "resource_private_name": tag,
            "hardware_id": wire,
            "duration_hours": self._hours,
            "gpus_per_container": offer.gpus,
            "container_config": container,
            "registry_config": {"image_url": bootstrap.image},
            "payment_source": "credits",
            "on_incomplete_booking": "full_refund",
        }
        return body | ({"location_ids": [offer.country]} if offer.country else {})

    def _details(self, machine: str) -> Mapping[str, Any]:
        return _object(_data(self._calls.get(_path(machine))), "io.net's deployment")

    def _is_ending(self, machine: str) -> bool:
        try:
            status = status_of(self._details(machine).get("status"))
        except _Gone:
            return True
        return status in ENDED or STATES.get(status) is MachineState.ENDING


def _wire(offer: Offer) -> str:
    return offer.name.removesuffix(f":{offer.gpus}:{offer.place}")


def _path(machine: str) -> str:
    if not machine or machine.strip(".") == "":
        raise RequestRefused(f"{machine[:60]!r} is no deployment of io.net's")
    return f"/deployment/{quote(machine, safe='')}"


def _data(answer: Json) -> Json:
    """What an answer holds: in `data`, except for those of calls that change something."""
    return answer["data"] if isinstance(answer, Mapping) and "data" in answer else answer


def _object(value: Json, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProviderAway(f"{what} is no object", sent=True)
    return value


def _refuse(status: int, body: Json) -> ProviderError | None:
    """By the words of io.net's three shapes of errors: it has no codes."""
    said = words(body) if body is not None else "it does not say why"
    detail, low = f"io.net refuses ({status}): {said}", said.lower()
    if status in (401, 403, 408, 429) or status >= 500 or status < 400:
        return None
    if status == 402 or (("insufficient" in low or "not enough" in low) and ("credit" in low or "balance" in low)):
        return CreditShort(detail)
    if status == 404 and body is not None:
        return _Gone(detail)
    if any(sign in low for sign in ("not available", "no available", "unavailable", "out of stock", "capacity")):
        return OutOfStock(detail)
    return None
