"""The market's view over HTTP, for a page or a script on this machine: offers and machines, to read only.

It listens where the renter's keys are, and answers only requests that name this machine as their host: a page of a
stranger that resolves its own name to 127.0.0.1 gets nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from commonweight.market.accounts import Accounts
from commonweight.market.desk import SECONDS, open_journal, read_query
from commonweight.market.errors import BadQuery
from commonweight.market.offers import SHOWN, Query, Sorting, sorted_offers
from commonweight.market.view import machines, rows
from commonweight.market.view.gathering import gather
from commonweight.market.view.measured import Yield
from contracts.errors import CommonweightError
from contracts.wire.answers import PROBLEM_TYPE

LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
MOST_OFFERS = 1_000
_TEXTS = {"gpu": "", "gpus": "1-8", "where": "", "security": "community", "max_price": ""}
_NUMBERS = {"disk": 50, "traffic": 1, "memory": 0}


class ForeignHost(CommonweightError):
    """A request that does not name this machine."""

    code = "foreign-host"


def market_app(
    accounts: Accounts, folder: Path, seconds: float = SECONDS, rates: Callable[[], Mapping[str, Yield]] = dict
) -> Starlette:
    """Offers, with the options of `market offers` as parameters, and machines. `rates` gives what a GPU of each kind
    yields in a run, by which verified tokens are priced."""

    def offers(parameters: Mapping[str, str]) -> dict[str, Any]:
        query, sort = _query(parameters)
        seen = rates()
        found = gather([*accounts.providers.values(), *accounts.lists], replace(query, kinds=SHOWN), seconds)
        now = int(time.time())
        by_kind = {name: rate.median for name, rate in seen.items()}
        shown = sorted_offers(found.offers, sort, by_kind)[:MOST_OFFERS]
        documents = [rows.document(one, accounts.providers.get(one.provider), seen, now) for one in shown]
        failed = [failure.to_json() for failure in found.failed]
        return {"offers": documents, "found": len(found.offers), "failed": failed}

    def held(_: Mapping[str, str]) -> dict[str, Any]:
        journal = open_journal(folder)
        try:
            now = journal.clock()
            return {"machines": [machines.document(rental, now) for rental in journal.rentals()]}
        finally:
            journal.close()

    return Starlette(
        routes=[
            Route("/market/offers", _answering(offers)),
            Route("/market/machines", _answering(held)),
        ]
    )


def _answering(work: Callable[[Mapping[str, str]], dict[str, Any]]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            _require_local(request)
            return JSONResponse(await run_in_threadpool(work, request.query_params))
        except CommonweightError as error:
            body = {"code": error.code, "detail": error.detail, "status": error.status, "title": error.code}
            return JSONResponse(body, error.status, media_type=PROBLEM_TYPE)

    return answer


def _require_local(request: Request) -> None:
    """A stranger's page reads no answer, but each of its requests would be a question to every provider under the
    renter's key, until they answer that it asks too often. Browsers name such pages. Raises ForeignHost."""
    origin = urlsplit(request.headers.get("origin", "http://localhost")).hostname
    if request.headers.get("sec-fetch-site", "none") == "cross-site" or origin not in ("127.0.0.1", "localhost", "::1"):
        raise ForeignHost("this server answers no page of another machine")
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in LOCAL:
        raise ForeignHost("this server answers only to the names of its own machine")


def _query(parameters: Mapping[str, str]) -> tuple[Query, Sorting]:
    """Raises BadQuery and BadPrice."""
    unknown = set(parameters) - {*_TEXTS, *_NUMBERS, "sort", "steady"}
    if unknown:
        every = ", ".join((*_TEXTS, *_NUMBERS, "sort", "steady"))
        raise BadQuery(f"{sorted(unknown)[0]!r} is no parameter; there are {every}")
    texts = {name: parameters.get(name, default) for name, default in _TEXTS.items()}
    given = read_query(
        gpu=texts["gpu"],
        gpus=texts["gpus"],
        where=texts["where"],
        security=texts["security"],
        max_price=texts["max_price"],
        disk=_number(parameters, "disk"),
        traffic=_number(parameters, "traffic"),
        memory=_number(parameters, "memory"),
        steady="steady" in parameters,
    )
    sort = parameters.get("sort", Sorting.PRICE)
    if sort not in tuple(Sorting):
        raise BadQuery(f"sort is {', '.join(Sorting)}, not {sort!r}")
    return given, Sorting(sort)


def _number(parameters: Mapping[str, str], name: str) -> int:
    text = parameters.get(name, str(_NUMBERS[name]))
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise BadQuery(f"{name} is no number: {text[:40]!r}")
    return int(text)
