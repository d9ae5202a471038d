"""Who runs the hosts of a cloud, for sources that list many clouds and say nothing of it themselves.

A level is given for what the cloud says of itself; a cloud that is missing here counts as anybody's machine.
"""

from __future__ import annotations

from commonweight.market.offers import Level, Security

_VM = "a virtual machine of one's own"
_CONTAINER = "a container on a shared host"
_OWN = "{0} runs its own data centres"
_LEASED = "{0} runs its hosts in leased data centres"


def _at(level: Level, ground: str, isolation: str = _VM) -> Security:
    return Security(level, ground, isolation)


_BIG = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud", "oci": "Oracle Cloud", "nebius": "Nebius"}
_LESSER = {
    "amddevcloud": "AMD Developer Cloud",
    "crusoe": "Crusoe",
    "digitalocean": "DigitalOcean",
    "hotaisle": "Hot Aisle",
    "jarvislabs": "JarvisLabs",
    "lambda": "Lambda",
    "lambdalabs": "Lambda",
    "seeweb": "Seeweb",
    "verda": "Verda",
    "datacrunch": "Verda",
    "vultr": "Vultr",
}
_OTHERS = {
    "cloudrift": _at(Level.COMMUNITY, "CloudRift rents out the hosts of others"),
    "daytona": _at(Level.KNOWN, "Daytona rents its hosts from clouds it does not name", _CONTAINER),
    "kubernetes": _at(Level.KNOWN, "a cluster of your own, as your dstack server knows it", _CONTAINER),
    "lium": _at(Level.COMMUNITY, "Lium rents out the hosts of anybody", _CONTAINER),
    "remote": _at(Level.KNOWN, "a machine of your own, as your dstack server knows it", _CONTAINER),
    "runpod": _at(Level.COMMUNITY, "RunPod's list does not say which hosts are its secure cloud's", _CONTAINER),
    "slurm": _at(Level.KNOWN, "a cluster of your own, as your dstack server knows it", _CONTAINER),
    "tensordock": _at(Level.COMMUNITY, "TensorDock rents out the hosts of others"),
    "vastai": _at(Level.COMMUNITY, "Vast.ai's list does not say here which hosts it has checked", _CONTAINER),
}
_CLOUDS = {
    **{name: _at(Level.DATACENTER, _OWN.format(title)) for name, title in _BIG.items()},
    **{name: _at(Level.DATACENTER, _LEASED.format(title)) for name, title in _LESSER.items()},
    **_OTHERS,
}


def security_of(cloud: str) -> Security:
    """The level of a cloud's hosts, with its ground."""
    return _CLOUDS.get(cloud.lower()) or _at(
        Level.COMMUNITY, "nothing is known here of who runs these hosts", _CONTAINER
    )
