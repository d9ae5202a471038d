"""Rows of Vast.ai's lists: offers, instances and charges.

A month of storage has 720 hours there, as its own examples of storage prices work out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from commonweight.market.calling.rows import BadRow, text, whole
from commonweight.market.errors import BadPrice
from commonweight.market.gpus import gpu_name
from commonweight.market.money import MOST_PER_HOUR, NOTHING, USD, MicroUsd, micro_usd
from commonweight.market.offers import Level, Offer, Price, Security
from commonweight.market.places import country_of
from commonweight.market.provider import Machine, MachineState, ssh_to

NAME = "vast"
BID = "-bid"
"""The end of an offer's name where its price is a bid."""
MONTH_HOURS = 720
MOST_BILLED = 1_000_000 * USD
_PPM = 1_000_000
_ENDED = frozenset(["stopped", "exited", "offline", "unknown", "frozen"])
_ENDING = frozenset(["destroying", "destroyed"])


@dataclass(frozen=True)
class Terms:
    """What an offer's price is worked out for: fixed or to the highest bid, with a disk and an hour's traffic."""

    bid: bool
    disk_gb: int
    traffic_gb: int
    seen_at: int


def offer_of(terms: Terms, row: Mapping[str, Any]) -> Offer | None:
    """The offer in a row; None for a machine that is taken, or lacks the disk. Raises BadRow, BadPrice."""
    if row.get("rented") is True or row.get("rentable") is False or whole(row, "disk_space") < terms.disk_gb:
        return None
    words_of_gpu = text(row, "gpu_name", 60)
    place = text(row, "geolocation", 80)
    return Offer(
        provider=NAME,
        name=f"{_present(row, 'id')}{BID if terms.bid else ''}",
        gpu=_required(gpu_name(words_of_gpu), "gpu_name"),
        variant=words_of_gpu,
        gpus=_present(row, "num_gpus"),
        price=_price(row, terms),
        security=_security(row),
        seen_at=terms.seen_at,
        gpu_memory_gb=-(-whole(row, "gpu_ram") // 1024),
        country=country_of(place),
        place=place,
        cpus=whole(row, "cpu_cores_effective"),
        memory_gb=_share(row) // 1024,
        disk_gb=terms.disk_gb,
        down_mbps=whole(row, "inet_down"),
        up_mbps=whole(row, "inet_up"),
        interruptible=terms.bid,
        available=1,
        link="NVLink" if whole(row, "bw_nvlink") else "",
        reliability=_reliability(row),
        traffic_gb=terms.traffic_gb,
    )


def _price(row: Mapping[str, Any], terms: Terms) -> Price:
    machine = micro_usd(row.get("min_bid" if terms.bid else "dph_base"), "the price of a machine")
    if not machine:
        raise BadPrice("a machine for nothing")
    stored = micro_usd(row.get("storage_cost"), "a gigabyte and month of storage")
    up = micro_usd(row.get("inet_up_cost"), "a gigabyte up")
    down = micro_usd(row.get("inet_down_cost"), "a gigabyte down")
    storage = MicroUsd(-(-stored * terms.disk_gb // MONTH_HOURS))
    price = Price(machine, storage, MicroUsd((up + down) * terms.traffic_gb))
    if price.total > MOST_PER_HOUR:
        raise BadPrice(f"absurd: {price.total} micro-USD an hour with storage and traffic")
    return price


def _security(row: Mapping[str, Any]) -> Security:
    """Hosting type 1 is a data centre that Vast.ai has vetted; `verified` are tests of the machine."""
    verified = text(row, "verification") == "verified"
    isolation = "an unprivileged container, GPUs of its own"
    if whole(row, "hosting_type") == 1 and verified:
        return Security(Level.DATACENTER, "Vast.ai lists it as a vetted data centre, and as verified", isolation)
    if verified:
        return Security(Level.COMMUNITY, "Vast.ai has tested the machine; its host may be anybody", isolation)
    return Security(Level.COMMUNITY, "Vast.ai has not verified the machine", isolation)


def _share(row: Mapping[str, Any]) -> int:
    """Megabytes of memory that come with the GPUs: `cpu_ram` is the whole host's."""
    part = row.get("gpu_frac", 1)
    if isinstance(part, bool) or not isinstance(part, int | Decimal) or not 0 < part <= 1:
        raise BadRow(f"gpu_frac is no part: {repr(part)[:60]}")
    return int(whole(row, "cpu_ram") * part)


def _reliability(row: Mapping[str, Any]) -> int | None:
    value = row.get("reliability2", row.get("reliability"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
        raise BadRow(f"reliability is no probability: {repr(value)[:60]}")
    return int(value * _PPM)


def machine_of(row: Mapping[str, Any]) -> Machine:
    """The instance in a row. Raises BadRow."""
    host, port = text(row, "ssh_host"), text(row, "ssh_port")
    return Machine(
        name=str(_present(row, "id")),
        state=_state(row),
        tag=text(row, "label"),
        gpu=gpu_name(text(row, "gpu_name", 60)),
        gpus=whole(row, "num_gpus"),
        price=_said(row, "dph_total"),
        started_at=whole(row, "start_date"),
        reach=ssh_to("root", host, port) if host and port else "",
        detail=" ".join(text(row, "status_msg").split()),
    )


def _state(row: Mapping[str, Any]) -> MachineState:
    """A bid that is meant to run and stands still was outbid."""
    actual = text(row, "actual_status")
    stands = actual in _ENDED or (not actual and text(row, "cur_state") == "stopped")
    if actual in _ENDING:
        return MachineState.ENDING
    if stands and row.get("is_bid") is True and text(row, "cur_state") == "stopped":
        return MachineState.PREEMPTED
    if stands:
        return MachineState.FAILED
    return MachineState.RUNNING if actual == "running" else MachineState.LOADING


def _said(row: Mapping[str, Any], name: str) -> MicroUsd:
    """A price that may be missing: a machine is in the list whatever its price says."""
    try:
        return micro_usd(row.get(name), name)
    except BadPrice:
        return NOTHING


def charge_of(row: Mapping[str, Any]) -> tuple[str, MicroUsd]:
    """What is charged, and its amount. Raises BadRow, BadPrice."""
    return text(row, "source"), micro_usd(row.get("amount"), "an amount", MOST_BILLED)


def _required(value: str, name: str) -> str:
    if not value:
        raise BadRow(f"{name} is missing")
    return value


def _present(row: Mapping[str, Any], name: str) -> int:
    if row.get(name) is None:
        raise BadRow(f"{name} is missing")
    return whole(row, name, 1)
