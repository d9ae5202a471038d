"""Akash's Console API: deployments that hold a deposit, bids that come after a while, leases that are billed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.commonweight.market.stand_ins.stand_in import Request, StandIn

USDC = "ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1"


def model(name: str, price: object, available: object = 4, **more: object) -> dict[str, Any]:
    """A row of `GET /v1/gpu-prices`."""
    figures = None if price is None else {"currency": "USD", "min": price, "max": 9, "avg": 3, "med": 3}
    return {
        "vendor": "nvidia",
        "model": name,
        "ram": "80Gi",
        "interface": "SXM5",
        "availability": {"total": 8, "available": available},
        "providerAvailability": {"total": 2, "available": 1},
        "price": figures,
        **more,
    }


@dataclass
class Bidder:
    """A provider that bids: `amount` per block of `denom`, from the `after`th look at the bids on."""

    name: str
    amount: str
    denom: str = "uact"
    after: int = 1
    takes_back: bool = False


@dataclass
class Deployment:
    """What an account has open."""

    dseq: str
    sdl: dict[str, Any]
    state: str = "active"
    looks: int = 0
    leases: list[dict[str, Any]] = field(default_factory=list)
    transferred: list[dict[str, str]] = field(default_factory=list)


@dataclass
class AkashStandIn(StandIn):
    """One Console account. A test sets prices, bidders, the balance and what goes wrong."""

    key: str = "ak_valid_0123456789"
    models: list[dict[str, Any]] = field(default_factory=list)
    bidders: list[Bidder] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    launches: int = 0
    credit: bool = True
    heeds_ceiling: bool = True
    chain_code: int = 0
    refuses_to_close: bool = False
    page: dict[str, Any] = field(default_factory=dict)

    @property
    def rented(self) -> dict[str, Deployment]:
        """What is billed, or holds a deposit."""
        return {name: one for name, one in self.deployments.items() if one.state == "active"}

    def answer(self, request: Request) -> tuple[int, Any]:
        """One call, by the published shapes."""
        path = request.path
        if path == "/v1/gpu-prices":
            return 200, {"availability": {"total": 9, "available": 4}, "models": self.models}
        if request.headers.get("X-Api-Key", request.headers.get("x-api-key")) != self.key:
            return _error(401, "UnauthorizedError", "Invalid API key")
        if path == "/v1/bids":
            return self._bids(self.deployments[request.query["dseq"]])
        if path == "/v1/leases":
            return self._lease(request.body)
        if path == "/v1/deployments":
            return self._create(request.body) if request.method == "POST" else self._list(request)
        return self._one(request.method, path.rpartition("/")[2])

    def open(self, leases: int = 1, **more: Any) -> Deployment:
        """A deployment of the account's, with so many leases."""
        dseq = str(22_000_000 + len(self.deployments))
        found = Deployment(dseq, {}, **more)
        found.leases = [self._new_lease(dseq, Bidder("akash1p", "2000")) for _ in range(leases)]
        self.deployments[dseq] = found
        return found

    def _create(self, body: Any) -> tuple[int, Any]:
        if not self.credit:
            return _error(402, "PaymentRequiredError", "Insufficient balance")
        made = self.open(leases=0)
        made.sdl = json.loads(body["data"]["sdl"])
        self.launches += 1
        signed = {"code": self.chain_code, "transactionHash": "A1", "rawLog": "out of gas" if self.chain_code else "[]"}
        if self.chain_code:
            del self.deployments[made.dseq]
        return 201, {"data": {"dseq": made.dseq, "manifest": "[manifest]", "signTx": signed}}

    def _bids(self, found: Deployment) -> tuple[int, Any]:
        found.looks += 1
        pricing = found.sdl["profiles"]["placement"]["akash"]["pricing"]["node"]
        came = [one for one in self.bidders if found.looks >= one.after]
        if self.heeds_ceiling:
            came = [one for one in came if one.denom != "uact" or float(one.amount) <= pricing["amount"]]
        return 200, {"data": [_bid(found.dseq, one) for one in came]}

    def _lease(self, body: Any) -> tuple[int, Any]:
        wanted = body["leases"][0]
        found = self.deployments[wanted["dseq"]]
        bidder = next(one for one in self.bidders if one.name == wanted["provider"])
        if body["manifest"] != "[manifest]" or bidder.takes_back:
            message = "Cannot create lease: The selected bid is no longer open."
            return _error(400, "BadRequestError", message)
        found.leases.append(self._new_lease(found.dseq, bidder))
        return 200, {"data": _shown(found)}

    def _list(self, request: Request) -> tuple[int, Any]:
        skip, limit = int(request.query["skip"]), int(request.query["limit"])
        every = list(self.deployments.values())
        rows = every[skip : skip + limit]
        pages = {"total": len(every), "skip": skip, "limit": limit, "hasMore": skip + limit < len(every)}
        return 200, {"data": {"deployments": [_shown(one) for one in rows], "pagination": pages}} | self.page

    def _one(self, method: str, dseq: str) -> tuple[int, Any]:
        found = self.deployments.get(dseq)
        if found is None:
            return _error(404, "NotFoundError", "Deployment not found")
        if method == "GET":
            return 200, {"data": _shown(found)}
        if self.refuses_to_close:
            return _error(400, "BadRequestError", "Try later")
        if found.state == "closed":
            return _error(400, "BadRequestError", "Deployment closed")
        found.state = "closed"
        for lease in found.leases:
            lease["state"] = "closed"
        return 200, {"data": {"success": True}}

    @staticmethod
    def _new_lease(dseq: str, bidder: Bidder) -> dict[str, Any]:
        shown = _bid(dseq, bidder)["bid"]
        return {"id": shown["id"], "state": "active", "price": shown["price"], "created_at": "1", "closed_on": "0"}


def _bid(dseq: str, bidder: Bidder) -> dict[str, Any]:
    who = {"owner": "akash1me", "dseq": dseq, "gseq": 1, "oseq": 1, "provider": bidder.name, "bseq": 0}
    price = {"denom": bidder.denom, "amount": bidder.amount}
    return {"bid": {"id": who, "state": "open", "price": price, "created_at": "1", "resources_offer": []}}


def _shown(found: Deployment) -> dict[str, Any]:
    state = {"owner": "akash1me", "state": "open", "transferred": found.transferred, "settled_at": "1", "funds": []}
    return {
        "deployment": {
            "id": {"owner": "akash1me", "dseq": found.dseq},
            "state": found.state,
            "hash": "aGFzaA==",
            "created_at": "1",
        },
        "leases": found.leases,
        "escrow_account": {"id": {"scope": "deployment", "xid": f"akash1me/{found.dseq}"}, "state": state},
    }


def _error(status: int, name: str, message: str) -> tuple[int, Any]:
    code = name.removesuffix("Error").lower()
    return status, {"error": name, "message": message, "code": code, "type": "client_error", "data": []}
