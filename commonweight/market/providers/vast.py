"""Vast.ai: machines of many hosts, at a fixed price or to the highest bid.

Paths end in a slash and ports are an object, as its own client sends them.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from commonweight.market.calling.calls import CALL_SECONDS, Calls, Json, words
from commonweight.market.calling.rows import as_list, every, readable
from commonweight.market.calling.short_scripts import fitted
from commonweight.market.errors import (
    CreditShort,
    KeyRefused,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RequestRefused,
)
from commonweight.market.money import USD, MicroUsd
from commonweight.market.offers import Level, Offer, Query
from commonweight.market.provider import Bootstrap, Machine, Noted, ProviderFacts
from commonweight.market.providers.vast_log import log_text
from commonweight.market.providers.vast_rows import BID, NAME, Terms, charge_of, machine_of, offer_of

URL = "https://console.vast.ai"
ONSTART_CHARACTERS = 4048
OFFERS_A_PAGE, INSTANCES_A_PAGE, CHARGES_A_PAGE = 500, 25, 100
MOST_PAGES = 200
BILL_SECONDS = 365 * 24 * 3600
"""How far back charges are asked for."""
LOG_LINES = 200

FACTS = ProviderFacts(
    name=NAME,
    tagged=True,
    kyc="an e-mail address; its published pages ask renters for no papers",
    pays=("card", "Coinbase", "Crypto.com"),
    api="OpenAPI document 1.0.0 of 2026-08-07",
)


class _Gone(RequestRefused):
    """There is no such instance."""


@dataclass
class Vast:
    """An account at Vast.ai; `seconds` bound each call."""

    url: str
    key: str = field(repr=False)
    seconds: float = CALL_SECONDS
    _calls: Calls = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._calls = Calls(NAME, self.url, {"Authorization": f"Bearer {self.key}"}, _refusal, self.seconds)

    @property
    def facts(self) -> ProviderFacts:
        """What is known of Vast.ai before any call."""
        return FACTS

    def offers(self, query: Query) -> list[Offer]:
        """Fixed prices, and bids of the least that is taken where the query takes interruptible machines."""
        found: list[Offer] = []
        for bid in (False, True) if query.interruptible else (False,):
            terms = Terms(bid, query.disk_gb, query.traffic_gb, int(time.time()))
            rows = self._bundles(_search(query, bid))
            found += [one for one in readable(rows, partial(offer_of, terms), "an offer of vast") if one is not None]
        return [offer for offer in found if query.takes(offer)]

    def _bundles(self, search: dict[str, Json]) -> list[Json]:
        """All rows of a search, page by page in the order of their numbers: the list itself has no pages."""
        rows: dict[int, Json] = {}
        after = 0
        for _ in range(MOST_PAGES):
            page = self._search({**search, "id": {"gt": after}})
            fresh = {row["id"]: row for row in page if _has_number(row) and row["id"] not in rows}
            if not fresh:
                break
            rows |= fresh
            after = max(after, *fresh)
        return list(rows.values())

    def _search(self, search: dict[str, Json]) -> list[Json]:
        answer = self._calls.read("POST", "/api/v0/bundles/", search)
        return as_list(answer.get("offers") if isinstance(answer, Mapping) else None, "vast's offers")

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """Rent it, or bid for it, at the offer's price. A bid that does not win at once is withdrawn."""
        ask = offer.name.removesuffix(BID)
        body = _order(offer, bootstrap, tag)
        self._require_price(_number(ask), offer)
        name = _contract(self._calls.send("PUT", f"/api/v0/asks/{ask}/", body))
        noted(name)
        return name

    def _require_price(self, ask: int, offer: Offer) -> None:
        """Asked just before: only a bid can name the most that it pays. Nothing has been ordered when it raises."""
        terms = Terms(offer.interruptible, offer.disk_gb, offer.traffic_gb, int(time.time()))
        kind = "bid" if offer.interruptible else "ondemand"
        search = {"id": {"eq": ask}, "type": kind, "allocated_storage": offer.disk_gb, "limit": 1}
        try:
            rows = [row for row in self._search(search) if _has_number(row) and row["id"] == ask]
        except ProviderAway as error:
            raise ProviderAway(error.detail) from None
        fresh = next(readable(rows, partial(offer_of, terms), "an offer of vast"), None)
        if fresh is None:
            raise OutOfStock(f"vast's offer {ask} is gone")
        dearer_bid = offer.interruptible and fresh.price.machine > offer.price.machine
        if dearer_bid or fresh.price.total > offer.price.total:
            raise PriceRose(f"vast's offer {ask} costs {fresh.price.total} micro-USD an hour, not {offer.price.total}")

    def machines(self) -> list[Machine]:
        """All instances, stopped ones too: their disks are billed."""
        order = json.dumps([{"col": "id", "dir": "asc"}])
        rows, total = self._pages("/api/v1/instances/", "instances", limit=INSTANCES_A_PAGE, order_by=order)
        found = {one.name: one for one in every(rows, machine_of, "an instance of vast")}
        if len(found) < total:
            raise ProviderAway(f"vast lists {len(found)} of {total} instances", sent=True)
        return list(found.values())

    def _pages(self, path: str, name: str, **params: str | int) -> tuple[list[Json], int]:
        """All rows of a list, and how many the provider counts, 0 where it does not say."""
        rows: list[Json] = []
        total, token = 0, ""
        for _ in range(MOST_PAGES):
            answer = self._calls.get(path, **params, **({"after_token": token} if token else {}))
            page, token, count = _page(answer, name)
            rows += page
            total = max(total, count)
            if not token:
                return rows, total
        raise ProviderAway(f"vast's list of {name} has more than {MOST_PAGES} pages", sent=True)

    def terminate(self, machine: str) -> None:
        """Destroy the instance with its disk."""
        try:
            answer = self._calls.read("DELETE", f"/api/v0/instances/{_number(machine)}/", {})
        except _Gone:
            return
        if not isinstance(answer, Mapping) or answer.get("success") is not True:
            raise ProviderAway(f"vast does not say that {machine} is destroyed: {words(answer)}", sent=True)

    def spent(self, machine: str) -> MicroUsd | None:
        """The charges of the last year; they follow some time after the use."""
        now = int(time.time())
        days = {"day": {"gte": now - BILL_SECONDS, "lte": now + 24 * 3600}, "type": {"in": ["instance"]}}
        rows, _ = self._pages(
            "/api/v0/charges/", "results", select_filters=json.dumps(days), format="table", limit=CHARGES_A_PAGE
        )
        source = f"instance-{_number(machine)}"
        amounts = [amount for of, amount in every(rows, charge_of, "a charge of vast") if of == source]
        return MicroUsd(sum(amounts)) if amounts else None

    def logs(self, machine: str) -> str:
        """The container's last lines, which the provider puts into a file at an address of its own."""
        path = f"/api/v0/instances/request_logs/{_number(machine)}/"
        answer = self._calls.read("PUT", path, {"tail": str(LOG_LINES)})
        address = answer.get("result_url") if isinstance(answer, Mapping) else None
        if not isinstance(address, str):
            raise ProviderAway(f"vast names no file for the logs of {machine}", sent=True)
        return log_text(address, self.url, self.seconds)


def _search(query: Query, bid: bool) -> dict[str, Json]:
    """The server's part of a query; what it lets through is looked at again here."""
    search: dict[str, Json] = {
        "type": "bid" if bid else "ondemand",
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "num_gpus": {"gte": query.least, "lte": query.most},
        "disk_space": {"gte": query.disk_gb},
        "allocated_storage": query.disk_gb,
        "order": [["id", "asc"]],
        "limit": OFFERS_A_PAGE,
    }
    return search | ({"verified": {"eq": True}} if query.level is not Level.COMMUNITY else {})


def _order(offer: Offer, bootstrap: Bootstrap, tag: str) -> dict[str, Json]:
    script = _with_key(bootstrap)
    body: dict[str, Json] = {
        "image": bootstrap.image,
        "label": tag,
        "disk": offer.disk_gb,
        "runtype": "ssh_direct",
        "target_state": "running",
        "cancel_unavail": True,
        "onstart": fitted(script, ONSTART_CHARACTERS, NAME),
        "env": {f"-p {port}:{port}": "1" for port in bootstrap.ports},
    }
    # a quotient of two integers of this size is written as the decimal that it is
    return body | ({"price": offer.price.machine / USD} if offer.interruptible else {})


def _with_key(bootstrap: Bootstrap) -> str:
    """The account's own keys are there already; this one is the rental's."""
    if not bootstrap.public_key:
        return bootstrap.script
    key = shlex.quote(bootstrap.public_key)  # its comment may hold anything
    return f"mkdir -p /root/.ssh;echo {key} >>/root/.ssh/authorized_keys\n{bootstrap.script}"


def _contract(answer: Json) -> str:
    """The instance's name in the answer to a launch."""
    name = answer.get("new_contract") if isinstance(answer, Mapping) else None
    if isinstance(name, int) and not isinstance(name, bool) and name > 0 and answer.get("success") is True:
        return str(name)
    known = _refusal(400, answer) if isinstance(answer, Mapping) and answer.get("success") is False else None
    raise known or ProviderAway(f"vast does not name the new instance: {words(answer)}", sent=True)


def _page(answer: Json, name: str) -> tuple[list[Json], str, int]:
    """Rows, the next page's token, and the count of all rows where it is said."""
    if not isinstance(answer, Mapping) or answer.get("success", True) is not True:
        raise ProviderAway(f"vast gives no list of {name}", sent=True)
    token = answer.get("next_token") or ""
    count = answer.get("total_instances") or 0
    if not isinstance(token, str) or not isinstance(count, int):
        raise ProviderAway(f"vast's list of {name} has another form", sent=True)
    return as_list(answer.get(name), f"vast's list of {name}"), token, count


def _refusal(status: int, body: Json) -> ProviderError | None:
    """Vast.ai's own errors: `error` is a word, `msg` a sentence that may hold a further word."""
    if not isinstance(body, Mapping) or status >= 500 or status == 429:
        return None
    said = f"{body.get('error')} {body.get('msg')}".lower()
    if "user key" in said:
        return KeyRefused("vast does not know the key")
    if "credit" in said or "balance" in said:
        return CreditShort(f"vast: {words(body)}")
    if status == 410 or "no_such_ask" in said or "no longer available" in said:
        return OutOfStock(f"vast: {words(body)}")
    if "invalid_price" in said:
        return PriceRose(f"vast: {words(body)}")
    if status == 404 and "error" in body:
        return _Gone(f"vast: {words(body)}")
    if status == 403 and "error" in body and "auth" not in said:
        return RequestRefused(f"vast: {words(body)}")
    return None


def _has_number(row: Json) -> bool:
    number = row.get("id") if isinstance(row, Mapping) else None
    return isinstance(number, int) and not isinstance(number, bool)


def _number(name: str) -> int:
    """An id of Vast.ai's. Raises RequestRefused for anything else, before it becomes part of an address."""
    if not (name.isascii() and name.isdigit()):
        raise RequestRefused(f"{name[:40]!r} is no number of vast's")
    return int(name)
