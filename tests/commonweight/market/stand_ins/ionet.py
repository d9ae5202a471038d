"""io.net's API for containers: quotes with fees, hours paid ahead, and errors of three shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.commonweight.market.stand_ins.stand_in import Request, StandIn

CAAS = "/enterprise/v1/io-cloud/caas"
ENDED = ("completed", "failed", "terminated", "destroyed")


def hardware(wire: object, name: str, price: object, most: object = 8, **more: object) -> dict[str, Any]:
    """A row of `GET /hardware`; `price` is per GPU and hour."""
    return {
        "hardware_id": wire,
        "hardware_name": name,
        "brand_name": "NVIDIA",
        "location": "US",
        "price": price,
        "available": 3,
        "network": 3,
        "max_gpus_per_container": most,
        "min_gpus_per_container": None,
        "confidential_compute": False,
        **more,
    }


@dataclass
class Deployment:
    """What was paid ahead."""

    id: str
    name: str
    status: str
    paid: object
    body: dict[str, Any] = field(default_factory=dict)


@dataclass
class IoNetStandIn(StandIn):
    """One account. A test sets hardware, the fee in percent, credits, and what goes wrong."""

    key: str = "io_valid_0123456789"
    hardware: list[Any] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    launches: int = 0
    fee_percent: int = 2
    credit: str = "enough"
    quoted: dict[str, Any] = field(default_factory=dict)
    refusal: tuple[int, Any] | None = None
    page: dict[str, Any] = field(default_factory=dict)
    stream: bytes = b""
    empty_deletes: bool = False

    @property
    def rented(self) -> dict[str, Deployment]:
        """What runs, or will."""
        return {name: one for name, one in self.deployments.items() if one.status not in ENDED}

    def answer(self, request: Request) -> tuple[int, Any]:
        """One call, by the published shapes."""
        if request.headers.get("X-Api-Key", request.headers.get("x-api-key")) != self.key:
            return 401, {"detail": "Invalid API key"}
        path = request.path.removeprefix(CAAS)
        if path == "/hardware":
            return 200, {"data": self.hardware}
        if path == "/price":
            return self._price(request)
        if path == "/deploy":
            return self._deploy(request.body)
        if path == "/deployments":
            return self._list(request)
        return self._one(request.method, *path.removeprefix("/deployment/").split("/"))

    def open(self, status: str = "running", paid: object = 20, name: str = "") -> Deployment:
        """A deployment of the account's."""
        number = len(self.deployments)
        made = Deployment(f"d-{number}", name or f"cw-{number}", status, paid)
        self.deployments[made.id] = made
        return made

    def _of(self, wire: str, places: list[Any]) -> dict[str, Any] | None:
        for row in self.hardware:
            if isinstance(row, dict) and str(row["hardware_id"]) == wire and (not places or row["location"] in places):
                return row
        return None

    def _cost(self, row: dict[str, Any], gpus: int, hours: int) -> float:
        return float(row["price"]) * gpus * hours * (100 + self.fee_percent) / 100

    def _price(self, request: Request) -> tuple[int, Any]:
        asked = request.query
        row = self._of(asked["hardware_id"], json.loads(asked.get("location_ids", "[]")))
        if row is None:
            return 400, {"status": "failed", "error": "Hardware not found"}
        gpus, hours = int(asked["gpus_per_container"]), int(asked["duration_hours"])
        data = {
            "replica_count": int(asked["replica_count"]),
            "gpus_per_container": gpus,
            "available_replica_count": [row["available"]],
            "ionet_fee_percent": self.fee_percent,
            "total_cost_usdc": self._cost(row, gpus, hours),
        }
        return 200, {"data": data | self.quoted}

    def _deploy(self, body: Any) -> tuple[int, Any]:
        if self.refusal is not None:
            return self.refusal
        row = self._of(str(body["hardware_id"]), body.get("location_ids", []))
        if row is None or type(row["hardware_id"]) is not type(body["hardware_id"]):
            return 422, {"detail": [{"loc": ["body", "hardware_id"], "msg": "unknown hardware", "type": "value_error"}]}
        if self.credit == "none":
            return 400, {"status": "failed", "error": "Insufficient credits: 2 needed"}
        if self.credit == "to be paid":
            self.open("unpaid", 0, body["resource_private_name"])
            return 200, {"status": "payment_required"}
        if row["available"] < 1:
            return 400, {"status": "failed", "error": "Requested hardware is not available"}
        row["available"] -= 1
        cost = self._cost(row, body["gpus_per_container"], body["duration_hours"])
        made = self.open("deployment requested", cost, body["resource_private_name"])
        made.body = body
        self.launches += 1
        return 200, {"status": "success", "deployment_id": made.id}

    def _list(self, request: Request) -> tuple[int, Any]:
        page, size = int(request.query["page"]), int(request.query["page_size"])
        every = list(self.deployments.values())
        rows = [_row(one) for one in every[(page - 1) * size : page * size]]
        return 200, {"data": {"deployments": rows, "total": len(every), "statuses": []}} | self.page

    def _one(self, method: str, name: str, *rest: str) -> tuple[int, Any]:
        found = self.deployments.get(name)
        if found is None:
            return 404, {"status": "failed", "error": "Deployment not found"}
        if rest and rest[0] == "containers":
            workers = [{"container_id": "c-1", "status": "running"}] if found.status == "running" else []
            return 200, {"data": {"total": len(workers), "workers": workers}}
        if rest:
            return 200, self.stream
        if method == "GET":
            details = _row(found) | {"amount_paid": found.paid}
            return 200, {"data": {field: value for field, value in details.items() if field != "name"}}
        if found.status in ENDED:
            return 400, {"status": "failed", "error": "Deployment is not active"}
        found.status = "destroyed" if found.status == "termination requested" else "termination requested"
        return 200, b"" if self.empty_deletes else {"status": "success", "deployment_id": name}


def _row(found: Deployment) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "status": found.status,
        "completed_percent": 0,
        "hardware_quantity": 8,
        "hardware_name": "H100 SXM5",
        "brand_name": "NVIDIA",
        "compute_minutes_served": 5,
        "compute_minutes_remaining": 55,
        "created_at": "2026-11-30T12:00:00Z",
    }
