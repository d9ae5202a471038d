"""A dstack server of one's own: whatever clouds stand behind it, by its REST interface.

A machine is a task run whose name is the launch's tag. The server keeps names of active runs apart, so a tag is never
rented twice. It places a run after it took it: a run for which no cloud has room ends by itself, and leaves the list.
Instances that a fleet keeps idle are billed too; they are in the list under `fleet/number`, without a tag.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from commonweight.market.calling.calls import CALL_SECONDS, Calls, Json, words
from commonweight.market.calling.rows import BadRow, as_list, as_object, readable, text
from commonweight.market.errors import (
    BadPrice,
    CreditShort,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RequestRefused,
)
from commonweight.market.money import USD, MicroUsd, dollars, micro_usd
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Bootstrap, Machine, Noted, ProviderFacts
from commonweight.market.providers.dstack_rows import kept_by, line_of, machine_of, option_of
from commonweight.market.providers.dstack_tasks import OFFERS_ONLY, resources_of, task_of

logger = logging.getLogger(__name__)
URL = "http://127.0.0.1:3000"
"""Where `dstack server` listens unless told otherwise."""
MOST_OFFERS = 2000
PAGE = 100
MOST_PAGES = 200
MOST_BILL = 10_000_000 * USD
LOG_LINES = 200
_RUN_NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")


class _Gone(RequestRefused):
    """The server has nothing of this name."""


class Dstack:
    """One project at a dstack server, as the user whose token is `key`."""

    def __init__(self, url: str, key: str, project: str, seconds: float = CALL_SECONDS) -> None:
        self._project = project
        self._path = f"/api/project/{quote(project, safe='')}"
        self._calls = Calls("dstack", url, {"Authorization": f"Bearer {key}"}, _refuse, seconds)

    @property
    def facts(self) -> ProviderFacts:
        """What the clouds behind the server ask and take, the server does not say."""
        return ProviderFacts(
            "dstack",
            tagged=True,
            kyc="as the clouds behind the server ask",
            pays=("as the clouds behind the server take",),
            api="dstack server 0.20 to 0.22",
            lag_seconds=30,
        )

    def offers(self, query: Query) -> list[Offer]:
        """What the project's clouds have now, whether or not a fleet of the project lets a run there. Prices are those
        of the instance; storage beyond it and traffic, the server does not know."""
        spec = {"configuration": {**OFFERS_ONLY, "resources": resources_of(query)}, "ssh_key_pub": ""}
        rows = self._plan(spec, MOST_OFFERS)
        cheapest: dict[str, Offer] = {}
        for found in readable(rows, option_of, "an offer of dstack"):
            if not found.is_available or not found.offer.gpus or not query.takes(found.offer):
                continue
            known = cheapest.get(found.offer.name)
            if known is None or found.offer.price.total < known.price.total:
                cheapest[found.offer.name] = found.offer
        return list(cheapest.values())

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """A run on that instance type, in that region, for at most that price."""
        if not _RUN_NAME.fullmatch(tag):
            raise RequestRefused(f"{tag!r} is no name that a run of dstack can have")
        configuration = task_of(offer, bootstrap)
        spec = {"run_name": tag, "configuration": configuration, "ssh_key_pub": bootstrap.public_key or None}
        self._require(offer, self._plan(spec, PAGE))
        if offer.price.total:
            configuration["max_price"] = str(Decimal(offer.price.total) / USD)
        plan = {"run_spec": spec, "current_resource": None}
        answer = self._calls.send("POST", f"{self._path}/runs/apply", {"plan": plan, "force": False})
        try:
            name = text(as_object(as_object(answer, "a run").get("run_spec"), "its run_spec"), "run_name")
        except BadRow as error:
            raise ProviderAway(f"dstack answers a launch oddly: {error.detail}", sent=True) from None
        if name != tag:
            raise ProviderAway(f"dstack answers a launch with another run: {name[:60]!r}", sent=True)
        noted(tag)
        return tag

    def machines(self) -> list[Machine]:
        """Runs that have not finished, and instances that are billed without one."""
        fleets = as_list(self._calls.read("POST", f"{self._path}/fleets/list", {}), "the list of fleets")
        try:
            idle = [machine for fleet in fleets for machine in kept_by(as_object(fleet, "a fleet"))]
            return [machine_of(run) for run in self._runs()] + idle
        except (BadRow, BadPrice) as error:
            raise ProviderAway(f"dstack's list cannot be read: {error.detail}", sent=True) from None

    def terminate(self, machine: str) -> None:
        """Stops a run, whose instance goes with it, or an instance of a fleet."""
        fleet, _, number = machine.partition("/")
        try:
            if number.isdecimal():
                body: Json = {"name": fleet, "instance_nums": [int(number)]}
                self._calls.send("POST", f"{self._path}/fleets/delete_instances", body)
            else:
                self._calls.send("POST", f"{self._path}/runs/stop", {"runs_names": [machine], "abort": False})
        except _Gone:
            logger.info("dstack has no %s any more", machine)

    def spent(self, machine: str) -> MicroUsd | None:
        """The server's own count of a run's hours and prices; None for an instance."""
        if "/" in machine:
            return None
        try:
            run = self._run(machine)
        except _Gone:
            return None
        try:
            return micro_usd(run.get("cost"), f"the cost of {machine}", MOST_BILL)
        except BadPrice as error:
            raise ProviderAway(f"dstack's bill cannot be read: {error.detail}", sent=True) from None

    def logs(self, machine: str) -> str:
        """The last lines of a run's latest submission."""
        if "/" in machine:
            raise RequestRefused("an instance of dstack gives no logs: only runs do")
        latest = self._run(machine).get("latest_job_submission")
        if not isinstance(latest, Mapping):
            return ""
        asked = {"run_name": machine, "job_submission_id": latest.get("id"), "descending": True, "limit": LOG_LINES}
        answer = self._calls.read("POST", f"{self._path}/logs/poll", asked)
        events = as_list(answer.get("logs") if isinstance(answer, Mapping) else None, "the list of log lines")
        return "".join(line_of(event) for event in reversed(events))

    def _plan(self, spec: Mapping[str, Any], most: int) -> list[Json]:
        answer = self._calls.read("POST", f"{self._path}/runs/get_plan", {"run_spec": spec, "max_offers": most})
        plans = as_list(answer.get("job_plans") if isinstance(answer, Mapping) else None, "the plan's list of jobs")
        if not plans or not isinstance(plans[0], Mapping):
            raise ProviderAway("dstack's plan has no job", sent=True)
        offers = as_list(plans[0].get("offers"), "the plan's list of offers")
        if plans[0].get("total_offers") != len(offers):
            logger.warning("dstack shows %d of %s offers", len(offers), plans[0].get("total_offers"))
        return offers

    def _require(self, offer: Offer, rows: list[Json]) -> None:
        """Raises what stands against a launch, by what the server would do with it now."""
        same = [one for one in readable(rows, option_of, "an offer of dstack") if one.offer.name == offer.name]
        open_ones = [one.offer.price.total for one in same if one.is_available]
        if not open_ones and any(one.availability == "no_balance" for one in same):
            raise CreditShort(f"the account behind dstack lacks the money for {offer.name}")
        if not open_ones:
            raise OutOfStock(f"dstack cannot place {offer.name}: it is taken, or no fleet of {self._project} allows it")
        if min(open_ones) > offer.price.total:
            raise PriceRose(
                f"{offer.name} is {dollars(min(open_ones), 4)} an hour, above {dollars(offer.price.total, 4)}"
            )

    def _run(self, name: str) -> Mapping[str, Any]:
        try:
            return as_object(self._calls.read("POST", f"{self._path}/runs/get", {"run_name": name}), "a run")
        except BadRow as error:
            raise ProviderAway(f"dstack answers oddly: {error.detail}", sent=True) from None

    def _runs(self) -> list[Mapping[str, Any]]:
        """All pages. A page may be short of rows that the server cannot read itself, so only an empty one is the last;
        a project that is not there would be an empty list too, which the list of fleets has ruled out."""
        found: dict[str, Mapping[str, Any]] = {}
        last: Mapping[str, Any] = {}
        for _ in range(MOST_PAGES):
            page = self._page(last)
            if not page:
                return list(found.values())
            fresh = {text(run, "id"): run for run in page}
            if "" in fresh or fresh.keys() & found.keys():
                raise ProviderAway("dstack repeats a page of its list of runs", sent=True)
            found |= fresh
            last = page[-1]
        raise ProviderAway(f"dstack's list of runs has no end after {MOST_PAGES} pages", sent=True)

    def _page(self, last: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        body = {
            "project_name": self._project,
            "repo_id": None,
            "username": None,
            "only_active": True,
            "limit": PAGE,
            "prev_submitted_at": last.get("submitted_at"),
            "prev_run_id": last.get("id"),
        }
        rows = as_list(self._calls.read("POST", "/api/runs/list", body), "the list of runs")
        return [as_object(run, "a run") for run in rows]


def _refuse(status: int, body: Json) -> ProviderError | None:
    """Errors are `detail: [{code, msg}]` under 400; the rest is as everywhere."""
    details = body.get("detail") if isinstance(body, Mapping) else None
    if status != 400 or not isinstance(details, list) or not details or not isinstance(details[0], Mapping):
        return None
    gone = details[0].get("code") == "resource_not_exists"
    return (_Gone if gone else RequestRefused)(f"dstack refuses: {words(details[0])}")
