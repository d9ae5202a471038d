"""A dstack server with one project: offers of clouds, runs, and instances that a fleet keeps."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.commonweight.market.stand_ins.stand_in import Request, StandIn

KEY = "5b3e-the-token"
PROJECT = "main"
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
FINISHED = ("terminated", "failed", "done")


def offer(price: float = 2.5, **changes: Any) -> dict[str, Any]:
    """A row of a plan: one H100 at Nebius in Finland, changed so; `gpu` and `gpus` are its kind and their number."""
    terms = {"backend": "nebius", "region": "eu-north1", "name": "gpu-h100-sxm", "gpu": "H100", "gpus": 1, **changes}
    resources = {
        "cpus": terms.get("cpus", 16),
        "memory_mib": 200 * 1024,
        "gpus": [{"name": terms["gpu"], "memory_mib": terms.get("memory", 80) * 1024, "vendor": "nvidia"}]
        * terms["gpus"],
        "spot": terms.get("spot", False),
        "disk": {"size_mib": 100 * 1024},
        "description": "",
    }
    return {
        "backend": terms["backend"],
        "instance": {"name": terms["name"], "resources": resources},
        "region": terms["region"],
        "price": price,
        "availability": terms.get("availability", "available"),
        "availability_zones": None,
        "instance_runtime": "shim",
        "blocks": 1,
        "total_blocks": 1,
    }


@dataclass
class DstackStandIn(StandIn):
    """`canned` answers, by path, take the place of true ones, each once; None lets a call through."""

    key: str = KEY
    offers: list[dict[str, Any]] = field(default_factory=lambda: [offer()])
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    fleets: list[dict[str, Any]] = field(default_factory=list)
    launches: int = 0
    page: int = 100
    fleet_takes: bool = True
    lines: dict[str, list[str]] = field(default_factory=dict)
    canned: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def rented(self) -> dict[str, dict[str, Any]]:
        """What is billed now."""
        idle = {
            f"{fleet['name']}/{row['instance_num']}": row
            for fleet in self.fleets
            for row in fleet["instances"]
            if row["status"] != "terminated" and row["price"]
        }
        return {name: run for name, run in self.runs.items() if run["status"] not in FINISHED} | idle

    def answer(self, request: Request) -> tuple[int, Any]:
        """By path; every call is a POST."""
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return 403, {"detail": {"msg": "Invalid token", "code": None}}
        instead = self.canned.get(request.path)
        if instead and (body := instead.pop(0)) is not None:
            return 200, body
        if request.path == "/api/runs/list":
            return 200, self._list(request.body)
        project, _, call = request.path.removeprefix("/api/project/").partition("/")
        if project != PROJECT:
            return 404, {"detail": {"msg": "Not found", "code": None}}
        return self._of_project(call, request.body)

    def _of_project(self, call: str, body: Any) -> tuple[int, Any]:
        if call == "runs/get_plan":
            return 200, self._plan(body)
        if call == "runs/apply":
            return self._apply(body["plan"]["run_spec"])
        if call == "runs/get":
            return (200, self.runs[body["run_name"]]) if body["run_name"] in self.runs else _missing("Run not found")
        if call == "runs/stop":
            return self._stop(body["runs_names"])
        if call == "fleets/list":
            return 200, self.fleets
        if call == "fleets/delete_instances":
            return self._delete(body)
        if call == "logs/poll":
            return 200, self._logs(body)
        return 404, {"detail": "Not Found"}

    # -- offers --------------------------------------------------------------------------------------------------------

    def _plan(self, body: Any) -> dict[str, Any]:
        configuration = body["run_spec"]["configuration"]
        rows = [row for row in self.offers if _fits(row, configuration)]
        if configuration["commands"] != [":"] and not self.fleet_takes:
            rows = []
        rows.sort(key=lambda row: row["availability"] not in ("unknown", "available", "idle"))
        plan = {"offers": rows[: body["max_offers"]], "total_offers": len(rows), "max_price": None, "job_spec": {}}
        return {"project_name": PROJECT, "user": "admin", "job_plans": [plan], "action": "create"}

    # -- runs ----------------------------------------------------------------------------------------------------------

    def _apply(self, spec: Any) -> tuple[int, Any]:
        name = spec["run_name"]
        if name in self.rented:
            return _bad("Cannot override active run. Stop the run first.")
        self.launches += 1
        run = self.run(name, spec)
        found = [row for row in self.offers if _fits(row, spec["configuration"]) and row["availability"] == "available"]
        if not found:
            return 200, self._end(run, "failed", "failed_to_start_due_to_no_capacity")
        self.place(run, found[0])
        return 200, run

    def run(self, name: str, spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A run that waits for its place."""
        number = len(self.runs)
        moment = (START + timedelta(seconds=number)).isoformat()
        self.runs[name] = {
            "id": str(UUID(int=number + 1)),
            "project_name": PROJECT,
            "user": "admin",
            "submitted_at": moment,
            "status": "submitted",
            "status_message": "submitted",
            "termination_reason": None,
            "run_spec": {**(spec or {}), "run_name": name},
            "jobs": [],
            "latest_job_submission": {"id": str(UUID(int=1000 + number)), "termination_reason": None},
            "cost": 0,
        }
        return self.runs[name]

    def place(self, run: dict[str, Any], row: Mapping[str, Any]) -> None:
        """It is on an instance, which is being made."""
        run["status"] = run["status_message"] = "provisioning"
        run["latest_job_submission"]["job_provisioning_data"] = {
            "backend": row["backend"],
            "instance_type": row["instance"],
            "instance_id": "i-1",
            "hostname": "203.0.113.7",
            "region": row["region"],
            "price": row["price"],
            "username": "ubuntu",
            "ssh_port": 22,
            "dockerized": True,
        }

    def serve(self, name: str, hours: float, message: str = "running") -> None:
        """A run works, and has for so long."""
        run = self.runs[name]
        run["status"], run["status_message"] = "running", message
        run["cost"] = round(run["latest_job_submission"]["job_provisioning_data"]["price"] * hours, 4)

    def preempt(self, name: str) -> None:
        """The cloud takes a run's instance back."""
        run = self.runs[name]
        run["status"] = "terminating"
        run["latest_job_submission"]["termination_reason"] = "interrupted_by_no_capacity"

    def _end(self, run: dict[str, Any], status: str, reason: str) -> dict[str, Any]:
        run["status"] = run["status_message"] = status
        run["latest_job_submission"]["termination_reason"] = reason
        return run

    def _stop(self, names: list[str]) -> tuple[int, None]:
        for name in names:
            if name in self.runs and self.runs[name]["status"] not in FINISHED:
                self._end(self.runs[name], "terminated", "terminated_by_user")
        return 200, None

    def _list(self, body: Any) -> list[dict[str, Any]]:
        if body["project_name"] != PROJECT:
            return []
        rows = [run for run in self.runs.values() if not body["only_active"] or run["status"] not in FINISHED]
        rows.sort(key=lambda run: run["submitted_at"], reverse=True)
        before = body["prev_submitted_at"]
        return [run for run in rows if before is None or run["submitted_at"] < before][: min(body["limit"], self.page)]

    # -- fleets and logs -----------------------------------------------------------------------------------------------

    def keep(self, fleet: str, number: int, status: str = "idle", price: float = 1.25, backend: str = "aws") -> None:
        """A fleet has an instance of one L4."""
        row = {
            "id": str(UUID(int=2000 + number)),
            "name": f"{fleet}-{number}",
            "instance_num": number,
            "backend": backend,
            "instance_type": offer(gpu="L4", memory=24)["instance"],
            "status": status,
            "created": START.isoformat().replace("+00:00", "Z"),
            "region": "us-east-1",
            "price": price,
        }
        self.fleets.append({"name": fleet, "project_name": PROJECT, "status": "active", "instances": [row]})

    def _delete(self, body: Any) -> tuple[int, Any]:
        fleets = [fleet for fleet in self.fleets if fleet["name"] == body["name"]]
        if not fleets:
            return _missing("Resource not found")
        for fleet in fleets:
            for row in fleet["instances"]:
                if row["instance_num"] in body["instance_nums"]:
                    row["status"] = "terminated"
        return 200, None

    def _logs(self, body: Any) -> dict[str, Any]:
        assert body["job_submission_id"] == self.runs[body["run_name"]]["latest_job_submission"]["id"]
        lines = self.lines.get(body["run_name"], [])
        if body["descending"]:
            lines = lines[::-1]
        events = [{"message": base64.b64encode(line.encode()).decode()} for line in lines[: body["limit"]]]
        return {"logs": [{"timestamp": START.isoformat(), "log_source": "stdout", **event} for event in events]}


def _fits(row: Mapping[str, Any], configuration: Mapping[str, Any]) -> bool:
    """What the server filters by."""
    resources = row["instance"]["resources"]
    gpu = configuration["resources"]["gpu"]
    least, _, most = str(gpu["count"]).partition("..")
    names = [name.lower() for name in gpu.get("name", [])]
    policy = configuration["spot_policy"]
    return (
        int(least) <= len(resources["gpus"]) <= int(most or least)
        and (not names or any(one["name"].lower() in names for one in resources["gpus"]))
        and (policy == "auto" or (policy == "spot") == resources["spot"])
        and row["backend"] in configuration.get("backends", [row["backend"]])
        and row["region"] in configuration.get("regions", [row["region"]])
        and row["instance"]["name"] in configuration.get("instance_types", [row["instance"]["name"]])
        and row["price"] <= float(configuration.get("max_price", "inf"))
    )


def _bad(message: str, code: str = "error") -> tuple[int, Any]:
    return 400, {"detail": [{"msg": message, "code": code}]}


def _missing(message: str) -> tuple[int, Any]:
    return _bad(message, "resource_not_exists")
