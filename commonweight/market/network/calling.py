"""A renter's signed calls to hosts: each answer is a claim, each call ends in time, and goes to a public address."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from eth_account import Account

from commonweight.market.errors import (
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RequestRefused,
)
from contracts.errors import CommonweightError
from contracts.hosts.signed import Model, signed
from contracts.ids import Address, as_address
from contracts.messages.for_market import NOTHING, HostCall, HostOffer, HostOrder
from contracts.mirrors.peer import Limits, Peer
from verifier.hosts.asking import SHOWN_BYTES, answered, shown
from verifier.hosts.errors import HostAway, HostFailed, HostSaysNo

CALL_SECONDS = 10.0
LIST, END, LOGS = 1, 2, 3
"""As `HostCall` counts them."""


class NoSuchMachine(RequestRefused):
    """The host says that the renter has no such machine there."""

    code = "no-such-machine"


_SAID: Mapping[str, type[ProviderError]] = {"host-busy": OutOfStock, "rent-price-rose": PriceRose}
_SAID_OF_CALLS: Mapping[str, type[ProviderError]] = {"rent-refused": NoSuchMachine}


class HostCalls:
    """Calls of one renter (`key`). Each raises ProviderError."""

    def __init__(
        self, model: Model, key: bytes, loopback: bool, now: Callable[[], int], seconds: float = CALL_SECONDS
    ) -> None:
        self.renter: Address = as_address(Account.from_key(key).address)
        self._model = model
        self._key = key
        self._loopback = loopback
        self._now = now
        self._limits = Limits(seconds, seconds)

    def offer(self, url: str) -> HostOffer:
        """What the host offers now, under its supplier's signature."""
        peer = self._peer(url)
        try:
            return asyncio.run(shown(peer, self._model, self._now(), self._loopback)).offer.message
        except HostAway as error:
            raise ProviderAway(error.detail) from error
        except CommonweightError as error:
            raise RequestRefused(f"{url}: {error.code}: {error.detail}") from error

    def order(self, offer: HostOffer, tag: str, script: str, ends_at: int, price: int) -> None:
        """Have a script run there; `price` as the offer counts it. An answer that is lost may have had its effect."""
        message = HostOrder(
            model=self._model.model,
            supplier=offer.supplier,
            url=offer.url,
            renter=self.renter,
            tag=tag,
            script=hashlib.sha256(script.encode()).digest(),
            price=price,
            issuedAt=self._now(),
            endsAt=ends_at,
        )
        body = {"order": signed(message, self._model, self._key).to_json(), "script": script}
        answer = self._post(offer.url, "/market/orders", body, True, _SAID)
        if answer.get("tag") != tag:
            raise ProviderAway(f"{offer.url} does not say that {tag} runs", sent=True)

    def machines(self, url: str, supplier: str) -> list[Mapping[str, Any]]:
        """The renter's machines there, as the host says."""
        found = self._call(url, supplier, LIST, NOTHING).get("machines")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ProviderAway(f"{url} gives no list of machines", sent=True)
        return found

    def end(self, url: str, supplier: str, tag: str) -> None:
        """End a machine. Raises NoSuchMachine too."""
        self._call(url, supplier, END, tag)

    def output(self, url: str, supplier: str, tag: str) -> str:
        """The last lines of a machine's output."""
        return str(self._call(url, supplier, LOGS, tag).get("output", ""))

    def _call(self, url: str, supplier: str, call: int, tag: str) -> Mapping[str, Any]:
        message = HostCall(
            model=self._model.model,
            supplier=as_address(supplier),
            url=url,
            renter=self.renter,
            call=call,
            tag=tag,
            issuedAt=self._now(),
        )
        body = signed(message, self._model, self._key).to_json()
        return self._post(url, "/market/calls", body, call == END, _SAID_OF_CALLS)

    def _post(
        self, url: str, path: str, body: Mapping[str, Any], sent: bool, said: Mapping[str, type[ProviderError]]
    ) -> Mapping[str, Any]:
        try:
            return asyncio.run(answered(self._peer(url).post(path, json.dumps(body).encode(), SHOWN_BYTES)))
        except HostSaysNo as error:
            raise said.get(error.said, RequestRefused)(error.detail) from error
        except (HostAway, HostFailed) as error:
            raise ProviderAway(error.detail, sent=sent) from error

    def _peer(self, url: str) -> Peer:
        return Peer(url, self._loopback, self._limits)
