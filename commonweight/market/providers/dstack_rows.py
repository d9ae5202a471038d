"""What a dstack server answers: rows of a plan, runs, instances of fleets, and lines of a log."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commonweight.market.calling.calls import Json
from commonweight.market.calling.rows import BadRow, as_list, as_object, text, whole
from commonweight.market.errors import ProviderAway
from commonweight.market.gpus import gpu_name
from commonweight.market.money import NOTHING, micro_usd
from commonweight.market.offers import Offer, Price
from commonweight.market.provider import Machine, MachineState
from commonweight.market.providers.clouds import security_of
from commonweight.market.providers.dstack_tasks import Place
from commonweight.market.providers.regions import country_in

MIB_PER_GB = 1024
_CAN_BE_RENTED = frozenset({"unknown", "available", "idle"})
_FINISHED = frozenset({"terminated", "failed", "done"})
_RUN_NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")
_PREEMPTED = frozenset({"interrupted_by_no_capacity"})


@dataclass(frozen=True)
class Option:
    """A row of a plan, with what the server says of its being there."""

    offer: Offer
    availability: str

    @property
    def is_available(self) -> bool:
        """Whether a run would be placed there now, as far as is known."""
        return self.availability in _CAN_BE_RENTED


def option_of(row: Mapping[str, Any]) -> Option:
    instance = as_object(row.get("instance"), "its instance")
    resources = as_object(instance.get("resources"), "its resources")
    gpus = _gpus(resources)
    spot = resources.get("spot") is True
    backend, region = text(row, "backend"), text(row, "region")
    kind = text(gpus[0], "name") if gpus else ""
    place = Place(backend, region, "spot" if spot else "on-demand", len(gpus), kind, text(instance, "name"))
    offer = Offer(
        provider="dstack",
        name=str(place),
        gpu=gpu_name(kind),
        gpus=len(gpus),
        price=Price(micro_usd(row.get("price"), f"the price of {place}")),
        security=security_of(backend),
        seen_at=int(time.time()),
        variant=kind,
        gpu_memory_gb=whole(gpus[0], "memory_mib") // MIB_PER_GB if gpus else 0,
        country=country_in(region),
        place=f"{backend} {region}",
        cpus=whole(resources, "cpus"),
        memory_gb=whole(resources, "memory_mib") // MIB_PER_GB,
        disk_gb=whole(as_object(resources.get("disk") or {}, "its disk"), "size_mib") // MIB_PER_GB,
        interruptible=spot,
    )
    return Option(offer, text(row, "availability"))


def _gpus(resources: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    gpus = resources.get("gpus")
    if not isinstance(gpus, list):
        raise BadRow("gpus is no list")
    found = [as_object(gpu, "a GPU") for gpu in gpus]
    if len({text(gpu, "name") for gpu in found}) > 1:
        raise BadRow("its GPUs are of several kinds")
    return found


def machine_of(run: Mapping[str, Any]) -> Machine:
    name = text(as_object(run.get("run_spec"), "its run_spec"), "run_name")
    if not name:
        raise BadRow("a run has no name")
    latest = as_object(run.get("latest_job_submission") or {}, "its job")
    placed = as_object(latest.get("job_provisioning_data") or {}, "its instance")
    kind, gpus = _hardware(placed)
    reason = text(latest, "termination_reason")
    return Machine(
        name=name,
        state=_state(text(run, "status"), text(run, "status_message"), reason),
        tag=name,
        gpu=kind,
        gpus=gpus,
        price=micro_usd(placed["price"], f"the price of {name}") if "price" in placed else NOTHING,
        started_at=_seconds(text(run, "submitted_at")),
        reach=f"dstack attach {name}" if _RUN_NAME.fullmatch(name) else "",
        detail=reason,
    )


def _state(status: str, message: str, reason: str) -> MachineState:
    """By the run's status, which is `running` from before its image is there."""
    if reason in _PREEMPTED:
        return MachineState.PREEMPTED
    if status in _FINISHED:
        return MachineState.FAILED
    if status == "terminating":
        return MachineState.ENDING
    if status == "running" and message != "pulling":
        return MachineState.RUNNING
    if status in ("pending", "submitted", "provisioning", "running"):
        return MachineState.LOADING
    raise BadRow(f"{status[:40]!r} is no status of a run")


def kept_by(fleet: Mapping[str, Any]) -> list[Machine]:
    """A fleet's instances that are billed and have no run: idle ones, and those on their way out."""
    rows = [as_object(row, "an instance") for row in as_list(fleet.get("instances"), "a fleet's list of instances")]
    billed = [row for row in rows if text(row, "status") in ("idle", "terminating") and row.get("price")]
    return [_instance(text(fleet, "name"), row) for row in billed]


def _instance(fleet: str, row: Mapping[str, Any]) -> Machine:
    kind, gpus = _hardware(row)
    name = f"{fleet}/{whole(row, 'instance_num')}"
    ending = text(row, "status") == "terminating"
    return Machine(
        name=name,
        state=MachineState.ENDING if ending else MachineState.RUNNING,
        gpu=kind,
        gpus=gpus,
        price=micro_usd(row.get("price"), f"the price of {name}"),
        started_at=_seconds(text(row, "created")),
        detail="an instance that its fleet keeps",
    )


def _hardware(row: Mapping[str, Any]) -> tuple[str, int]:
    """Kind and number of GPUs, where the row says them."""
    kind = as_object(row.get("instance_type") or {}, "its instance type")
    gpus = _gpus(as_object(kind["resources"], "its resources")) if "resources" in kind else []
    return (gpu_name(text(gpus[0], "name")), len(gpus)) if gpus else ("", 0)


def _seconds(moment: str) -> int:
    """Unix seconds of a moment as the server writes it; 0 where it writes none."""
    if not moment:
        return 0
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (ValueError, OverflowError):
        raise BadRow(f"{moment[:40]!r} is no moment") from None


def line_of(event: Json) -> str:
    message = event.get("message") if isinstance(event, Mapping) else None
    try:
        return base64.b64decode(str(message or ""), validate=True).decode(errors="replace")
    except ValueError:
        raise ProviderAway("a log line of dstack cannot be read", sent=True) from None
