"""Lambda Cloud as the classes of lambda-ai-cloud-api-client 2.4.1 say: types, keys and instances, held in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.commonweight.market.stand_ins.stand_in import Request, StandIn

Answer = tuple[int, Any]
VIRGINIA = {"name": "us-east-1", "description": "Virginia, USA"}
OSAKA = {"name": "asia-northeast-1", "description": "Osaka, Japan"}


def type_row(name: str, described: str, cents: Any, gpus: int, *regions: dict[str, str]) -> dict[str, Any]:
    """A type of machine with 26 processors and 512 GiB of disk."""
    return {
        "instance_type": {
            "name": name,
            "description": f"{gpus}x {described}",
            "gpu_description": described,
            "price_cents_per_hour": cents,
            "specs": {"vcpus": 26, "memory_gib": 200, "storage_gib": 512, "gpus": gpus},
        },
        "regions_with_capacity_available": list(regions),
    }


def _types() -> dict[str, dict[str, Any]]:
    return {
        "gpu_8x_h100_sxm5": type_row("gpu_8x_h100_sxm5", "H100 (80 GB SXM5)", 2392, 8, VIRGINIA, OSAKA),
        "gpu_1x_a10": type_row("gpu_1x_a10", "A10 (24 GB PCIe)", 75, 1),
        "cpu_4x_general": type_row("cpu_4x_general", "N/A", 10, 0, VIRGINIA),
    }


def error(code: str, message: str) -> dict[str, Any]:
    """The body of every refusal."""
    return {"error": {"code": code, "message": message, "suggestion": "Read the documentation."}}


@dataclass
class LambdaStandIn(StandIn):
    """`quota` is how many instances may run; `held` are all instances that the list shows, ended ones too."""

    key: str = "secret_cw_8d1f2a77"
    types: dict[str, dict[str, Any]] = field(default_factory=_types)
    ssh_keys: list[dict[str, str]] = field(default_factory=list)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    launches: int = 0
    quota: int = 10
    active: bool = True

    @property
    def rented(self) -> dict[str, dict[str, Any]]:
        """What is billed now."""
        return {name: row for name, row in self.held.items() if row["status"] != "terminated"}

    def answer(self, request: Request) -> Answer:
        """One call."""
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return 401, error("global/invalid-api-key", "API key was invalid, expired, or deleted.")
        if not self.active:
            return 403, error("global/account-inactive", "Your account is inactive.")
        match (request.method, request.path):
            case ("GET", "/api/v1/instance-types"):
                return 200, {"data": self.types}
            case ("GET", "/api/v1/ssh-keys"):
                return 200, {"data": self.ssh_keys}
            case ("POST", "/api/v1/ssh-keys"):
                return self._add_key(request.body)
            case ("POST", "/api/v1/instance-operations/launch"):
                return self._launch(request.body)
            case ("POST", "/api/v1/instance-operations/terminate"):
                return self._terminate(request.body["instance_ids"])
            case ("GET", "/api/v1/instances"):
                return 200, {"data": list(self.held.values())}
        return 404, error("global/object-does-not-exist", "Specified page does not exist.")

    def _add_key(self, body: dict[str, str]) -> Answer:
        if any(row["name"] == body["name"] for row in self.ssh_keys):
            return 400, error("global/duplicate", "The SSH key is there already.")
        row = {"id": f"k{len(self.ssh_keys)}", "name": body["name"], "public_key": body["public_key"]}
        self.ssh_keys.append(row)
        return 200, {"data": row}

    def _launch(self, body: dict[str, Any]) -> Answer:
        refused = self._refused(body)
        if refused is not None:
            return 400, refused
        self.launches += 1
        name = f"{self.launches:032x}"
        row = self.types[body["instance_type_name"]]
        region = next(one for one in row["regions_with_capacity_available"] if one["name"] == body["region_name"])
        self.held[name] = {
            "id": name,
            "name": body["name"],
            "status": "booting",
            "ssh_key_names": body["ssh_key_names"],
            "file_system_names": [],
            "region": region,
            "instance_type": row["instance_type"],
            "actions": {},
            "tags": body["tags"],
            "user_data": body["user_data"],
        }
        return 200, {"data": {"instance_ids": [name]}}

    def _refused(self, body: dict[str, Any]) -> dict[str, Any] | None:
        row = self.types.get(body["instance_type_name"])
        if row is None or body["ssh_key_names"] != [key["name"] for key in self.ssh_keys][-1:]:
            return error("global/object-does-not-exist", "Specified object does not exist.")
        if len(body["name"]) > 64 or not body["user_data"].startswith("#!"):
            return error("global/invalid-parameters", "Invalid request data.")
        if len(self.rented) >= self.quota:
            return error("global/quota-exceeded", "Quota exceeded.")
        if body["region_name"] not in [one["name"] for one in row["regions_with_capacity_available"]]:
            message = "Not enough capacity to fulfill launch request."
            return error("instance-operations/launch/insufficient-capacity", message)
        return None

    def _terminate(self, names: list[str]) -> Answer:
        if any(name not in self.rented for name in names):
            return 404, error("global/object-does-not-exist", "Specified instance does not exist.")
        for name in names:
            self.held[name]["status"] = "terminated"
        return 200, {"data": {"terminated_instances": [self.held[name] for name in names]}}
