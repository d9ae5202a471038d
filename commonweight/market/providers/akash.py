"""Akash Network by the Console's API: GPU containers at whoever bids least, paid from a Console account in US dollars.

A price here is known only after one's own deployment: it asks, providers bid, and the lease takes a bid. Before that
there are statistics of what was bid lately, and `offers` shows nothing else. A launch is therefore three calls; where
one of them fails, the deployment is closed again, since it holds a deposit as long as it is open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from commonweight.market.calling.calls import CALL_SECONDS, Calls, Json, words
from commonweight.market.calling.rows import BadRow, as_list, as_object, readable, text
from commonweight.market.errors import BadPrice, CreditShort, OutOfStock, ProviderAway, ProviderError, RequestRefused
from commonweight.market.money import NOTHING, MicroUsd
from commonweight.market.offers import Offer, OfferKind, Query
from commonweight.market.provider import Bootstrap, Machine, MachineState, Noted, ProviderFacts
from commonweight.market.providers.akash_prices import NAME, Bid, bid_of, cheapest, hourly, micros, offers_of
from commonweight.market.providers.akash_sdl import sdl

URL = "https://console-api.akash.network"
FACTS = ProviderFacts(
    name=NAME,
    tagged=False,
    kyc="none; the Console's account asks for an e-mail address and a card",
    pays=("card",),
    api="Console API v1, document of 2026-08-22",
)
BID_SECONDS, POLL_SECONDS = 45.0, 3.0
PAGE, MOST_PAGES = 100, 50


class _Gone(RequestRefused):
    """There is no such deployment any more."""


class Akash:
    """An account of the Console. `bid_seconds` is how long bids are waited for, looked at each `poll_seconds`."""

    def __init__(
        self,
        url: str,
        key: str,
        seconds: float = CALL_SECONDS,
        bid_seconds: float = BID_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._calls = Calls("Akash", url, {"x-api-key": key}, _refuse, seconds)
        self._bid_seconds = bid_seconds
        self._poll_seconds = poll_seconds

    @property
    def facts(self) -> ProviderFacts:
        """What is known before any call."""
        return FACTS

    def offers(self, query: Query) -> list[Offer]:
        """What GPUs were bid for lately: statistics, never live offers. The least bid for one GPU, times the GPUs."""
        if OfferKind.STATISTICS not in query.kinds:
            return []
        answer = _object(self._calls.get("/v1/gpu-prices"), "Akash's prices")
        rows = as_list(answer.get("models"), "Akash's models")
        read = readable(rows, lambda row: list(offers_of(row, query)), "Akash's prices")
        return [offer for found in read for offer in found if query.takes(offer)]

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """Deploys, waits for bids and leases the cheapest that costs no more than the offer. Raises OutOfStock where
        nobody bids, and PriceRose where all bids are dearer. After an error whose `sent` is False nothing is open."""
        body = {"data": {"sdl": sdl(offer, bootstrap, tag)}}
        made = _object(_data(self._calls.send("POST", "/v1/deployments", body)), "Akash's deployment")
        dseq, manifest = made.get("dseq"), made.get("manifest")
        if not isinstance(dseq, str) or not dseq.isdecimal():
            raise ProviderAway("Akash names no deployment in its answer", sent=True)
        try:
            noted(dseq)
            _require_signed(made, manifest)
            self._lease(self._best(dseq, offer.price.total), manifest)
        except BaseException as error:
            self._undo(dseq, error)
            raise
        return dseq

    def machines(self) -> list[Machine]:
        """All deployments that are not closed; one without a lease holds a deposit, and is listed too."""
        found: dict[str, Machine] = {}
        seen = 0
        for _ in range(MOST_PAGES):
            data = _object(_data(self._calls.get("/v1/deployments", skip=seen, limit=PAGE)), "Akash's deployments")
            rows = as_list(data.get("deployments"), "Akash's deployments")
            pages = _object(data.get("pagination"), "Akash's pages")
            seen += len(rows)
            found |= {machine.name: machine for machine in map(_machine, rows) if machine is not None}
            if pages.get("hasMore") is False and seen >= _total(pages):
                return list(found.values())
            if not rows or not isinstance(pages.get("hasMore"), bool) or pages["hasMore"] is False:
                raise ProviderAway("Akash's list of deployments is cut", sent=True)
        raise ProviderAway("Akash's list of deployments has no end", sent=True)

    def terminate(self, machine: str) -> None:
        """Closes the deployment and its leases; what is left of the deposit goes back to the account."""
        try:
            answer = self._calls.read("DELETE", _path(machine))
        except _Gone:
            return
        if _object(_data(answer), "Akash's answer").get("success") is not True:
            raise ProviderAway("Akash does not say that it closed the deployment", sent=True)

    def spent(self, machine: str) -> MicroUsd | None:
        """What went from the deposit to providers by the last settlement; None in a currency that is not a dollar."""
        try:
            data = _object(_data(self._calls.get(_path(machine))), "Akash's deployment")
        except _Gone:
            return None
        escrow = _object(data.get("escrow_account"), "Akash's escrow")
        coins = as_list(_object(escrow.get("state"), "Akash's escrow").get("transferred"), "Akash's escrow")
        try:
            paid = [micros(as_object(coin, "a coin")) for coin in coins]
        except (BadRow, BadPrice):
            return None
        return MicroUsd(int(sum(paid, Decimal(0)).to_integral_value(ROUND_CEILING)))

    def logs(self, machine: str) -> str:
        """Always raises RequestRefused: logs are the provider's, behind a certificate that the Console keeps."""
        raise RequestRefused(f"Akash's Console API gives no logs of {machine[:60]}: its pages show them")

    def _best(self, dseq: str, most: MicroUsd) -> Bid:
        """The cheapest bid that fits; after the first there is one more look, for a provider that undercuts it."""
        end = time.monotonic() + self._bid_seconds
        bids: list[Bid] = []
        while True:
            fitted = any(bid.hourly <= most for bid in bids)
            bids = self._bids(dseq)
            if fitted or time.monotonic() >= end:
                return cheapest(bids, most)
            time.sleep(self._poll_seconds)

    def _bids(self, dseq: str) -> list[Bid]:
        rows = as_list(_data(self._calls.get("/v1/bids", dseq=dseq)), "Akash's bids")
        return [bid for bid in readable(rows, bid_of, "Akash's bids") if bid is not None]

    def _lease(self, bid: Bid, manifest: Json) -> None:
        answer = self._calls.send("POST", "/v1/leases", {"manifest": manifest, "leases": [dict(bid.lease)]})
        leases = as_list(_object(_data(answer), "Akash's lease").get("leases"), "Akash's leases")
        if not any(isinstance(one, Mapping) and one.get("state") == "active" for one in leases):
            raise OutOfStock("Akash shows no active lease: the provider took its bid back")

    def _undo(self, dseq: str, why: BaseException) -> None:
        """Closes what a failed launch has open. Raises ProviderAway, with `sent`, where that fails too."""
        try:
            self.terminate(dseq)
        except ProviderError as error:
            detail = f"Akash's deployment {dseq} is open and may be billed: closing it failed ({error.detail})"
            raise ProviderAway(detail, sent=True) from why
        if isinstance(why, ProviderError):
            why.sent = False


def _machine(row: object) -> Machine | None:
    """A deployment that is not closed. Raises ProviderAway: a row that cannot be read may be one that costs."""
    try:
        deployment = as_object(as_object(row, "a row").get("deployment"), "deployment")
        name, state = text(as_object(deployment.get("id"), "id"), "dseq"), text(deployment, "state")
        leases = [as_object(one, "lease") for one in as_list(as_object(row, "a row").get("leases"), "leases")]
    except BadRow as error:
        raise ProviderAway(f"Akash's list cannot be read: {error.detail}", sent=True) from None
    if not name or not state:
        raise ProviderAway("Akash's list has a deployment without a name or a state", sent=True)
    if state == "closed":
        return None
    active = [lease for lease in leases if lease.get("state") == "active"]
    if active:
        return Machine(name, MachineState.RUNNING, price=_sum(active))
    if leases:
        return Machine(name, MachineState.FAILED, detail="its lease ended, and its deposit is held")
    return Machine(name, MachineState.LOADING, detail="no lease yet, and its deposit is held")


def _sum(leases: list[Mapping[str, Any]]) -> MicroUsd:
    """What the leases cost an hour; 0, which is not said, where one is in another currency."""
    try:
        return MicroUsd(sum(hourly(as_object(lease.get("price"), "price")) for lease in leases))
    except (BadRow, BadPrice):
        return NOTHING


def _require_signed(made: Mapping[str, Any], manifest: Json) -> None:
    """Raises RequestRefused for a transaction that failed on the chain, ProviderAway without a manifest to lease by."""
    signed = made.get("signTx")
    if isinstance(signed, Mapping) and signed.get("code") != 0:
        raise RequestRefused(f"Akash's chain refuses the deployment: {words(signed.get('rawLog'))}")
    if not isinstance(manifest, str) or not manifest:
        raise ProviderAway("Akash gives no manifest with its deployment", sent=True)


def _total(pages: Mapping[str, Any]) -> int:
    total = pages.get("total")
    if not isinstance(total, int) or isinstance(total, bool):
        raise ProviderAway("Akash does not say how many deployments there are", sent=True)
    return total


def _path(machine: str) -> str:
    if not machine.isdecimal():
        raise RequestRefused(f"{machine[:60]!r} is no deployment of Akash's")
    return f"/v1/deployments/{machine}"


def _data(answer: Json) -> Json:
    return _object(answer, "Akash's answer").get("data")


def _object(value: Json, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProviderAway(f"{what} is no object", sent=True)
    return value


_REFUSALS: tuple[tuple[str, Callable[[str], ProviderError]], ...] = (
    ("insufficient", CreditShort),
    ("no longer open", OutOfStock),
    ("bid not open", OutOfStock),
    ("deployment closed", _Gone),
)
"""Words of the Console's for a refusal by the chain, which it gives with the status 400."""


def _refuse(status: int, body: Json) -> ProviderError | None:
    detail = f"Akash refuses ({status}): {words(body) if body is not None else 'it does not say why'}"
    if status == 402:
        return CreditShort(detail)
    if status == 404 and body is not None:
        return _Gone(detail)
    if status == 400:
        said = detail.lower()
        return next((error(detail) for sign, error in _REFUSALS if sign in said), None)
    return None
