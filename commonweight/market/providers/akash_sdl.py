"""A deployment in Akash's language (SDL): one container with GPUs, and the most that it may cost."""

from __future__ import annotations

import json

from commonweight.market.errors import OutOfStock
from commonweight.market.offers import Offer
from commonweight.market.provider import Bootstrap
from commonweight.market.providers.akash_prices import ceiling

IDLE_PORT = 8080
"""A deployment must expose a port, even where nothing listens."""


def sdl(offer: Offer, bootstrap: Bootstrap, tag: str) -> str:
    """The deployment in Akash's language, in which every JSON document is one: so no text of ours can be misread."""
    ports = bootstrap.ports or (IDLE_PORT,)
    service = {
        "image": bootstrap.image,
        "command": ["bash", "-c"],
        "args": [bootstrap.script],
        "env": [f"COMMONWEIGHT_TAG={tag}"],
        "expose": [{"port": port, "as": port, "to": [{"global": True}]} for port in ports],
    }
    resources = {
        "cpu": {"units": offer.cpus},
        "memory": {"size": f"{offer.memory_gb}Gi"},
        "storage": [{"size": f"{offer.disk_gb}Gi"}],
        "gpu": {"units": offer.gpus, "attributes": {"vendor": _gpu_attributes(offer.name)}},
    }
    pricing = {"denom": "uact", "amount": ceiling(offer.price.total)}
    document = {
        "version": "2.0",
        "services": {"node": service},
        "profiles": {
            "compute": {"node": {"resources": resources}},
            "placement": {"akash": {"pricing": {"node": pricing}}},
        },
        "deployment": {"node": {"akash": {"profile": "node", "count": 1}}},
    }
    return json.dumps(document)


def _gpu_attributes(name: str) -> dict[str, list[dict[str, str]]]:
    parts = name.split("/")
    if len(parts) != 5:
        raise OutOfStock(f"{name[:60]!r} is no offer of Akash's")
    vendor, model, ram, interface, _ = parts
    wanted = {"model": model}
    if ram:
        wanted["ram"] = ram
    # The language knows two of them only: SXM4 and SXM5 are `sxm`.
    if interface.lower().startswith(("sxm", "pcie")):
        wanted["interface"] = "sxm" if interface.lower().startswith("sxm") else "pcie"
    return {vendor: [wanted]}
