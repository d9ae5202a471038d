"""What a dstack server is asked for: plans that show offers, and tasks that take one of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commonweight.market.errors import BadQuery
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Bootstrap

OFFERS_ONLY: Mapping[str, Any] = {"type": "task", "commands": [":"], "spot_policy": "auto"}
"""The server's own sign for a plan that is not for a run: it shows all clouds, not one fleet's."""


def resources_of(query: Query) -> dict[str, Any]:
    gpu: dict[str, Any] = {"count": f"{query.least}..{query.most}"}
    if query.gpus:
        gpu["name"] = sorted({name for kind in query.gpus for name in _spellings(kind)})
    if query.gpu_memory_gb:
        gpu["memory"] = f"{query.gpu_memory_gb}GB.."
    return {"gpu": gpu, "cpu": "1..", "memory": "1GB..", "disk": f"{query.disk_gb}GB.."}


def _spellings(kind: str) -> set[str]:
    """How the server may call a kind of GPU, in any case of letters."""
    long = re.sub(r"^(\d{4}(?:TI)?)S$", r"\1SUPER", kind)
    return {kind, long, f"RTX{kind}", f"RTX{long}", f"{kind}NVL"}


def task_of(offer: Offer, bootstrap: Bootstrap) -> dict[str, Any]:
    """A run that takes this offer and no other, and leaves no instance behind."""
    place = Place.of(offer.name)
    task: dict[str, Any] = {
        "type": "task",
        "commands": [f"/bin/sh -c {shlex.quote(bootstrap.script)}"],
        "user": "root",
        "ports": list(bootstrap.ports),
        "resources": {
            "gpu": {"name": [place.gpu], "count": place.gpus},
            "cpu": "1..",
            "memory": "1GB..",
            "disk": "1GB..",
        },
        "backends": [place.backend],
        "regions": [place.region],
        "instance_types": [place.instance],
        "spot_policy": place.policy,
        "retry": False,
        "max_duration": "off",
        "stop_duration": 60,
        "idle_duration": 0,
    }
    return {**task, "image": bootstrap.image} if bootstrap.image else task


@dataclass(frozen=True)
class Place:
    """What an offer's name says: nothing else brings the same machine back."""

    backend: str
    region: str
    policy: str
    gpus: int
    gpu: str
    instance: str

    def __str__(self) -> str:
        return f"{self.backend}/{self.region}/{self.policy}/{self.gpus}x{self.gpu}/{self.instance}"

    @classmethod
    def of(cls, name: str) -> Place:
        """Raises BadQuery for a name that no offer of dstack has."""
        parts = name.split("/", 4)
        count, _, gpu = parts[3].partition("x") if len(parts) == 5 else ("", "", "")
        if not count.isdecimal() or not gpu:
            raise BadQuery(f"{name[:80]!r} is no offer of dstack")
        return cls(parts[0], parts[1], parts[2], int(count), gpu, parts[4])
