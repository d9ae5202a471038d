"""Rows of Lambda Cloud's lists: types of machines with their regions, and instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from commonweight.market.calling.rows import BadRow, as_object, text, whole
from commonweight.market.errors import BadPrice
from commonweight.market.gpus import gpu_name, known
from commonweight.market.money import MOST_PER_HOUR, NOTHING, MicroUsd, micro_usd
from commonweight.market.offers import Level, Offer, Price, Security
from commonweight.market.places import country_of
from commonweight.market.provider import Machine, MachineState, ssh_to

NAME = "lambda"
CENTS = 100
TAG_KEY = "commonweight"
_STATES = {
    "active": MachineState.RUNNING,
    "booting": MachineState.LOADING,
    "unhealthy": MachineState.FAILED,
    "terminating": MachineState.ENDING,
    "preempted": MachineState.PREEMPTED,
}
_ENDED = "terminated"
_SECURITY = Security(
    Level.DATACENTER, "Lambda runs the hosts itself, in data centres", "a virtual machine, GPUs of its own"
)


def offers_of(now: int, row: Mapping[str, Any]) -> list[Offer]:
    """A type's offers, one a region; none for machines without GPUs. Raises BadRow, BadPrice."""
    kind = as_object(row.get("instance_type"), "instance_type")
    specs = as_object(kind.get("specs"), "specs")
    regions = row.get("regions_with_capacity_available")
    if not isinstance(regions, list):
        raise BadRow("regions_with_capacity_available is no list")
    if not whole(specs, "gpus"):
        return []
    price = _price(kind)
    return [_offer(now, kind, specs, price, as_object(region, "a region")) for region in regions]


def _offer(
    now: int, kind: Mapping[str, Any], specs: Mapping[str, Any], price: Price, region: Mapping[str, Any]
) -> Offer:
    name, where, place = text(kind, "name", 80), text(region, "name", 60), text(region, "description", 80)
    if not name or not where or "/" in name:
        raise BadRow("a type or region has no name")
    described = text(kind, "gpu_description", 80)
    return Offer(
        provider=NAME,
        name=f"{name}/{where}",
        gpu=_gpu(name, described),
        variant=described,
        gpus=whole(specs, "gpus", 1),
        price=price,
        security=_SECURITY,
        seen_at=now,
        gpu_memory_gb=_memory(described),
        country=country_of(place) or ("US" if where.startswith("us-") else ""),
        place=place or where,
        cpus=whole(specs, "vcpus"),
        memory_gb=whole(specs, "memory_gib"),
        disk_gb=whole(specs, "storage_gib"),
        link="NVLink" if "SXM" in described.upper() and whole(specs, "gpus", 1) > 1 else "",
    )


def _gpu(name: str, described: str) -> str:
    """By the description without its size and socket, `H100 (80 GB SXM5)`, or else by the type's name."""
    first = described.partition("(")[0]
    gpu = gpu_name(first if known(first) or not known(name) else name)
    if not gpu:
        raise BadRow("a type names no GPU")
    return gpu


def _memory(described: str) -> int:
    size = re.search(r"(\d{1,4}) ?GB", described)
    return int(size[1]) if size else 0


def _price(kind: Mapping[str, Any]) -> Price:
    """Disk and traffic are included. Raises BadPrice, BadRow."""
    cents = micro_usd(kind.get("price_cents_per_hour"), "cents an hour", MOST_PER_HOUR * CENTS)
    if not cents:
        raise BadRow("a machine for nothing")
    return Price(MicroUsd(-(-cents // CENTS)))


def machine_of(row: Mapping[str, Any]) -> Machine | None:
    """None for one that has ended. Raises BadRow."""
    name, status, address = text(row, "id"), text(row, "status"), text(row, "ip")
    if not name or not status:
        raise BadRow("an instance without a name or status")
    if status == _ENDED:
        return None
    kind = as_object(row.get("instance_type") or {}, "instance_type")
    specs = as_object(kind.get("specs") or {}, "specs")
    return Machine(
        name=name,
        state=_STATES.get(status, MachineState.LOADING),
        tag=_tag(row),
        gpu=_shown_gpu(kind),
        gpus=whole(specs, "gpus"),
        price=_said(kind),
        reach=ssh_to("ubuntu", address),
        detail=status,
    )


def _shown_gpu(kind: Mapping[str, Any]) -> str:
    try:
        return _gpu(text(kind, "name", 80), text(kind, "gpu_description", 80))
    except BadRow:
        return ""


def _said(kind: Mapping[str, Any]) -> MicroUsd:
    """A price that may be missing: a machine is in the list whatever its price says."""
    try:
        return _price(kind).machine
    except (BadPrice, BadRow):
        return NOTHING


def _tag(row: Mapping[str, Any]) -> str:
    """The tag of the launch, or the name, which holds its beginning."""
    for entry in row.get("tags") or []:
        if isinstance(entry, Mapping) and entry.get("key") == TAG_KEY:
            return text(entry, "value")
    return text(row, "name")
