"""What io.net's rows say: hardware at the list's price, deployments with nine statuses, and lines of a log's stream."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commonweight.market.calling.rows import BadRow, as_object, text, whole
from commonweight.market.errors import BadPrice, ProviderAway
from commonweight.market.gpus import gpu_name, known
from commonweight.market.money import HOUR, NOTHING, MicroUsd, micro_usd
from commonweight.market.offers import MOST_GPUS, Level, Offer, Price, Security
from commonweight.market.places import country_of
from commonweight.market.provider import Machine, MachineState

NAME = "ionet"
SIZES = (1, 2, 4, 8)
STATES = {
    "deployment requested": MachineState.LOADING,
    "deploying": MachineState.LOADING,
    "running": MachineState.RUNNING,
    "termination requested": MachineState.ENDING,
}
ENDED = frozenset({"completed", "failed", "terminated", "destroyed"})
"""Nothing follows these, and hours that were paid ahead are all that they cost. What has another status, as `unpaid`
has, is listed as failed."""


@dataclass(frozen=True)
class Hardware:
    """A row of the list; `wire` is its id in the form in which io.net gave it, a text or a number."""

    wire: str | int
    gpu: str
    country: str
    place: str
    each: MicroUsd
    available: int
    sizes: tuple[int, ...]
    attested: bool


def _security(attested: bool) -> Security:
    ground = "anybody may add machines to io.net, and its list does not say whose this is"
    return Security(Level.COMMUNITY, ground, "a container; io.net does not say who shares its host", attested)


def hardware_of(row: Mapping[str, Any]) -> Hardware:
    """A row of the list. Raises BadRow and BadPrice."""
    wire = row.get("hardware_id")
    if isinstance(wire, bool) or not isinstance(wire, str | int) or wire == "":
        raise BadRow("hardware_id is missing")
    most = whole(row, "max_gpus_per_container")
    # Where no least number is said, only the most is known to be taken.
    least = whole(row, "min_gpus_per_container") or most
    if not 1 <= least <= most <= MOST_GPUS:
        raise BadRow(f"{least} to {most} GPUs are no machine")
    each = micro_usd(row.get("price"), "price")
    if each == NOTHING:
        raise BadPrice("price is 0, which is none")
    place = text(row, "location", 60)
    sizes = tuple(sorted({size for size in SIZES if least <= size <= most} | {most}))
    gpu = text(row, "hardware_name", 60)
    if not gpu:
        raise BadRow("hardware_name is missing")
    attested = row.get("confidential_compute") is True
    return Hardware(wire, gpu, country_of(place), place, each, whole(row, "available"), sizes, attested)


def listed(row: Hardware, hours: int) -> Iterator[Offer]:
    """An offer of so many booked hours for each size, at the list's price, which has no fees yet."""
    kind = known(row.gpu)
    for gpus in row.sizes:
        yield Offer(
            provider=NAME,
            name=f"{row.wire}:{gpus}:{row.place}",
            gpu=gpu_name(row.gpu),
            gpus=gpus,
            price=Price(MicroUsd(row.each * gpus)),
            security=_security(row.attested),
            seen_at=int(time.time()),
            variant=row.gpu,
            gpu_memory_gb=kind.memory_gb[0] if kind and len(kind.memory_gb) == 1 else 0,
            country=row.country,
            place=row.place,
            booked_seconds=hours * HOUR,
            available=row.available,
        )


def machine_of(row: object) -> tuple[str, Machine | None]:
    """A deployment's name, and the machine if it has not ended. Raises ProviderAway for what cannot be read."""
    try:
        fields = as_object(row, "a row")
        name, tag, gpu = text(fields, "id"), text(fields, "name"), text(fields, "hardware_name")
        status, gpus = status_of(fields.get("status")), whole(fields, "hardware_quantity")
    except BadRow as error:
        raise ProviderAway(f"io.net's list cannot be read: {error.detail}", sent=True) from None
    if not name or not status:
        raise ProviderAway("io.net's list has a deployment without a name or a status", sent=True)
    if status in ENDED:
        return name, None
    state = STATES.get(status, MachineState.FAILED)
    since = _seconds(fields.get("created_at"))
    return name, Machine(name, state, tag, gpu_name(gpu), gpus, started_at=since, detail=status)


def status_of(value: object) -> str:
    """A status in its usual spelling, empty for none."""
    return " ".join(value.lower().replace("_", " ").replace("-", " ").split()) if isinstance(value, str) else ""


def _seconds(value: object) -> int:
    """Unix seconds of a date, 0 where there is none that can be read."""
    try:
        return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else 0
    except ValueError:
        return 0


def log_lines(stream: str) -> Iterator[str]:
    """The data lines of a stream of server-sent events."""
    return (line[5:].removeprefix(" ") for line in stream.splitlines() if line.startswith("data:"))
