"""Vast.ai as its OpenAPI document of 2026-08-07 says: offers, bids, instances, charges and logs, held in memory."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from tests.commonweight.market.stand_ins.stand_in import Request, StandIn

Answer = tuple[int, Any]


def offer_row(number: int, **changes: Any) -> dict[str, Any]:
    """An offer of one verified RTX 4090 in Sweden for $0.36 an hour; bids begin at $0.12."""
    row: dict[str, Any] = {
        "id": number,
        "machine_id": number + 1000,
        "host_id": 7,
        "hosting_type": 0,
        "gpu_name": "RTX 4090",
        "num_gpus": 1,
        "gpu_ram": 24564,
        "gpu_frac": 0.25,
        "bw_nvlink": 0.0,
        "cpu_cores_effective": 16.0,
        "cpu_ram": 262144,
        "disk_space": 412.5,
        "inet_up": 612.4,
        "inet_down": 840.9,
        "inet_up_cost": 0.004,
        "inet_down_cost": 0.002,
        "storage_cost": 0.144,
        "dph_base": 0.36,
        "dph_total": 0.37,
        "min_bid": 0.12,
        "reliability2": 0.9968655,
        "geolocation": "Sweden, SE",
        "verification": "verified",
        "rentable": True,
        "rented": False,
        "external": False,
    }
    return row | changes


@dataclass
class VastStandIn(StandIn):
    """`credit` false refuses every launch; `log_waits` answers of the log's file are 404 before it is there."""

    key: str = "vast-5f1c0e7d9a"
    offers: dict[int, dict[str, Any]] = field(default_factory=lambda: {4001: offer_row(4001)})
    rented: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: list[dict[str, Any]] = field(default_factory=list)
    launches: int = 0
    credit: bool = True
    page: int = 2
    log: str = "step 1\nstep 2\n"
    log_waits: int = 1
    short_of: int = 0
    next_number: int = 900001

    def preempt(self, name: str) -> None:
        """Somebody bids more: the instance stands still, and its disk is billed."""
        self.rented[name] |= {"actual_status": "exited", "cur_state": "stopped", "intended_status": "running"}

    def run(self, name: str) -> None:
        """The container has started."""
        self.rented[name] |= {"actual_status": "running", "cur_state": "running"}

    def bill(self, name: str, amount: float) -> None:
        """A day's charge."""
        self.charges.append({"type": "instance", "source": f"instance-{name}", "amount": amount, "items": []})

    def answer(self, request: Request) -> Answer:
        """One call."""
        path = request.path.rstrip("/")
        if path == "/log-file":
            return self._log_file(request)
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return 401, {"success": False, "error": "auth_error", "msg": "Invalid user key"}
        place, _, last = path.rpartition("/")
        match (request.method, path, place):
            case ("POST", "/api/v0/bundles", _):
                return 200, {"offers": self._found(request.body)}
            case ("PUT", _, "/api/v0/asks"):
                return self._rent(int(last), request.body)
            case ("GET", "/api/v1/instances", _):
                return self._instances(request)
            case ("DELETE", _, "/api/v0/instances"):
                return self._destroy(last)
            case ("GET", "/api/v0/charges", _):
                return self._charged(request)
            case ("PUT", _, "/api/v0/instances/request_logs"):
                return self._logs(last)
        return 404, {"success": False, "error": "not_found", "msg": "no such page"}

    def _found(self, search: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [row for row in self.offers.values() if _fits(row, search)]
        return sorted(rows, key=lambda row: row["id"])[: min(self.page, search.get("limit", 64))]

    def _rent(self, ask: int, body: dict[str, Any]) -> Answer:
        row = self.offers.get(ask)
        refused = self._refused(ask, row, body)
        if refused is not None or row is None:
            return refused or (404, {})
        name = str(self.next_number)
        self.next_number += 1
        self.launches += 1
        del self.offers[ask]
        price = body.get("price") or row["dph_base"]
        self.rented[name] = row | {
            "id": int(name),
            "label": body.get("label"),
            "is_bid": "price" in body,
            "dph_base": price,
            "dph_total": round(price + row["storage_cost"] * body["disk"] / 720, 6),
            "actual_status": None,
            "cur_state": "running",
            "intended_status": "running",
            "status_msg": None,
            "start_date": 1793000000.25,
            "ssh_host": "ssh4.vast.ai",
            "ssh_port": 30120,
            "onstart": body.get("onstart"),
        }
        return 200, {"success": True, "new_contract": int(name)}

    def _refused(self, ask: int, row: dict[str, Any] | None, body: dict[str, Any]) -> Answer | None:
        if row is None:
            message = f"error 404/3603: no_such_ask Instance type by id {ask} is not available."
            return 404, {"success": False, "error": "invalid_args", "msg": message, "ask_id": ask}
        if not self.credit:
            message = "Your account lacks credit; see the billing page."
            return 400, {"success": False, "error": "insufficient_credit", "msg": message}
        if "price" in body and body["price"] < row["min_bid"]:
            return 400, {
                "success": False,
                "error": "invalid_price",
                "msg": "error 400/3497: bid too low",
                "ask_id": ask,
            }
        if len(body.get("onstart") or "") > 4048 or not body.get("image"):
            return 400, {"success": False, "error": "invalid_args", "msg": "error 400/3467: Invalid args"}
        return None

    def _instances(self, request: Request) -> Answer:
        rows = [self.rented[name] for name in sorted(self.rented, key=int)]
        shown, token = self._paged(rows, request)
        total = len(rows) + self.short_of
        return 200, {
            "success": True,
            "instances_found": len(shown),
            "total_instances": total,
            "label_counts": {},
            "next_token": token,
            "instances": shown,
        }

    def _paged(self, rows: list[Any], request: Request) -> tuple[list[Any], str | None]:
        token = request.query.get("after_token")
        start = json.loads(base64.b64decode(token))["at"] if token else 0
        end = start + min(self.page, int(request.query["limit"]))
        more = base64.b64encode(json.dumps({"at": end}).encode()).decode() if end < len(rows) else None
        return rows[start:end], more

    def _destroy(self, name: str) -> Answer:
        if name not in self.rented:
            return 404, {"success": False, "error": "not_found", "msg": "Instance not found"}
        del self.rented[name]
        return 200, {"success": True, "msg": "Instance destroyed successfully"}

    def _charged(self, request: Request) -> Answer:
        if "day" not in json.loads(request.query["select_filters"]):
            return 400, {"success": False, "error": "invalid_args", "msg": "day is required"}
        shown, token = self._paged(self.charges, request)
        return 200, {
            "success": True,
            "count": len(shown),
            "total": len(self.charges),
            "next_token": token,
            "results": shown,
        }

    def _logs(self, name: str) -> Answer:
        if name not in self.rented:
            return 404, {"error": "invalid_id", "msg": "Invalid instance id."}
        return 200, {"success": True, "result_url": f"{self.url}/log-file", "msg": ""}

    def _log_file(self, request: Request) -> Answer:
        if "Authorization" in request.headers:
            return 400, {"error": "no key belongs here"}
        self.log_waits -= 1
        return (403, {"error": "not yet"}) if self.log_waits >= 0 else (200, self.log)


def _fits(row: dict[str, Any], search: dict[str, Any]) -> bool:
    for name in ("id", "verified", "num_gpus", "disk_space"):
        value = row["verification"] == "verified" if name == "verified" else row.get(name)
        for sign, bound in search.get(name, {}).items():
            holds = {"eq": value == bound, "gt": value > bound, "gte": value >= bound, "lte": value <= bound}
            if not holds[sign]:
                return False
    return True
