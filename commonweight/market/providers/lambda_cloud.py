"""Lambda Cloud: virtual machines of one company, at list prices, where a region has some left.

It takes a call a second and a launch in twelve; names the machine's own tag, bills no traffic, has no pages, and no
interface for bills or logs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from commonweight.market.calling.calls import CALL_SECONDS, Calls, Json, words
from commonweight.market.calling.pacing import Pacing
from commonweight.market.calling.rows import as_list, every, readable, text
from commonweight.market.errors import KeyRefused, OutOfStock, PriceRose, ProviderAway, ProviderError, RequestRefused
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Bootstrap, Machine, Noted, ProviderFacts
from commonweight.market.providers.lambda_rows import NAME, TAG_KEY, machine_of, offers_of

URL = "https://cloud.lambda.ai"
CALL_PAUSE, LAUNCH_PAUSE = 1.0, 12.0
"""Seconds from one call, and from one launch, to the next."""
NAME_CHARACTERS = 64
USER_DATA_BYTES = 1_000_000

FACTS = ProviderFacts(
    name=NAME,
    tagged=True,
    kyc="a verified billing address and card; no identity papers in its published pages",
    pays=("card",),
    api="Cloud API v1, as PyPI lambda-ai-cloud-api-client 2.4.1 (2025-12) generates it",
)


class _Gone(RequestRefused):
    """There is no such thing."""


class _PacedCalls(Calls):
    """Each try of each call waits its turn."""

    pacing = Pacing(0)

    def send(self, method: str, path: str, body: Json = None, params: Mapping[str, str | int] | None = None) -> Json:
        self.pacing.wait()
        return super().send(method, path, body, params)


@dataclass
class LambdaCloud:
    """An account at Lambda Cloud; `seconds` bound each call, and `paced` holds calls back as its limits ask."""

    url: str
    key: str = field(repr=False)
    seconds: float = CALL_SECONDS
    paced: bool = True
    _calls: _PacedCalls = field(init=False, repr=False)
    _launches: Pacing = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._calls = _PacedCalls(NAME, self.url, {"Authorization": f"Bearer {self.key}"}, _refusal, self.seconds)
        self._calls.pacing = Pacing(CALL_PAUSE if self.paced else 0)
        self._launches = Pacing(LAUNCH_PAUSE if self.paced else 0)

    @property
    def facts(self) -> ProviderFacts:
        """What is known of Lambda before any call."""
        return FACTS

    def offers(self, query: Query) -> list[Offer]:
        """Each type of machine in each region that has some left."""
        now = int(time.time())
        found: list[Offer] = []
        for offers in readable(self._types(), partial(offers_of, now), "a type of lambda_cloud"):
            found += offers
        return [one for one in found if query.takes(one) and one.disk_gb >= query.disk_gb]

    def _types(self) -> list[Json]:
        types = _data(self._calls.get("/api/v1/instance-types"))
        if not isinstance(types, Mapping):
            raise ProviderAway("lambda_cloud gives no list of types", sent=True)
        return list(types.values())

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """Launch one; the price is asked for just before, since a launch can name none."""
        kind, _, region = offer.name.partition("/")
        user_data = _user_data(bootstrap)
        try:
            self._require_price(offer)
            login = self._key_name(bootstrap.public_key)
        except ProviderAway as error:
            raise ProviderAway(error.detail) from None
        self._launches.wait()
        body = {
            "region_name": region,
            "instance_type_name": kind,
            "ssh_key_names": [login],
            "name": tag[:NAME_CHARACTERS],
            "tags": [{"key": TAG_KEY, "value": tag}],
            "user_data": user_data,
        }
        names = _launched(self._calls.send("POST", "/api/v1/instance-operations/launch", body))
        for name in names:
            noted(name)
        return names[0]

    def _require_price(self, offer: Offer) -> None:
        rows = readable(self._types(), partial(offers_of, int(time.time())), "a type of lambda_cloud")
        fresh = next((one for offers in rows for one in offers if one.name == offer.name), None)
        if fresh is None:
            raise OutOfStock(f"lambda_cloud has no {offer.name} left")
        if fresh.price.total > offer.price.total:
            raise PriceRose(f"{offer.name} costs {fresh.price.total} micro-USD an hour, not {offer.price.total}")

    def _key_name(self, public_key: str) -> str:
        """The account's name of the key, which is registered where it is missing; without one, the account's first."""
        path = "/api/v1/ssh-keys"
        rows = as_list(_data(self._calls.get(path)), "lambda_cloud's SSH keys")
        keys = every(rows, lambda row: (text(row, "name"), text(row, "public_key", 10_000)), "an SSH key")
        for name, held in keys:
            if name and (not public_key or _bare(held) == _bare(public_key)):
                return name
        if not public_key:
            raise RequestRefused("lambda_cloud launches only with an SSH key, and the account has none")
        name = f"{TAG_KEY}-{hashlib.sha256(_bare(public_key).encode()).hexdigest()[:12]}"
        self._calls.send("POST", path, {"name": name, "public_key": public_key})
        return name

    def machines(self) -> list[Machine]:
        """All instances but those that have ended; the list has no pages."""
        rows = as_list(_data(self._calls.get("/api/v1/instances")), "lambda_cloud's instances")
        found = every(rows, machine_of, "an instance of lambda_cloud")
        return [one for one in found if one is not None]

    def terminate(self, machine: str) -> None:
        """End it, with its disk."""
        try:
            answer = self._calls.read("POST", "/api/v1/instance-operations/terminate", {"instance_ids": [machine]})
        except _Gone:
            return
        ended = _data(answer)
        rows = as_list(ended.get("terminated_instances") if isinstance(ended, Mapping) else None, "what was ended")
        if machine not in every(rows, lambda row: text(row, "id"), "an ended instance"):
            raise ProviderAway(f"lambda_cloud does not say that {machine} is ended", sent=True)

    def spent(self, machine: str) -> MicroUsd | None:  # noqa: ARG002
        """None: its interface has no bills."""
        return None

    def logs(self, machine: str) -> str:
        """Raises RequestRefused: its interface has none."""
        raise RequestRefused(f"lambda_cloud gives no logs of {machine[:40]}: log in to see them")


def _data(answer: Json) -> Json:
    """What an answer holds. Raises ProviderAway for one of another form."""
    if not isinstance(answer, Mapping) or "data" not in answer:
        raise ProviderAway("lambda_cloud answers in another form", sent=True)
    return answer["data"]


def _user_data(bootstrap: Bootstrap) -> str:
    """The script as cloud-init takes it. Raises RequestRefused where it is too long."""
    script = bootstrap.script if bootstrap.script.startswith("#!") else f"#!/bin/sh\n{bootstrap.script}"
    if len(script.encode()) > USER_DATA_BYTES:
        raise RequestRefused(f"lambda_cloud takes start scripts of {USER_DATA_BYTES} bytes, and this one is longer")
    return script


def _bare(public_key: str) -> str:
    """A key without its comment."""
    return " ".join(public_key.split()[:2])


def _launched(answer: Json) -> list[str]:
    """The names in the answer to a launch, at least one."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    names = data.get("instance_ids") if isinstance(data, Mapping) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ProviderAway(f"lambda_cloud does not name the new instance: {words(answer)}", sent=True)
    return names


def _refusal(status: int, body: Json) -> ProviderError | None:
    """Lambda's own errors, by their code."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping) or status >= 500 or status in (401, 429):
        return None
    code, said = str(error.get("code")), f"lambda_cloud: {words(body)}"
    if code == "instance-operations/launch/insufficient-capacity":
        return OutOfStock(said)
    if code == "global/account-inactive":
        return KeyRefused(said)
    if code == "global/object-does-not-exist":
        return _Gone(said)
    return RequestRefused(said) if code.startswith(("global/", "instance-operations/")) else None
