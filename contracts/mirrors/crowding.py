"""Whose connection goes where there are too many: nobody's that the server works for, first those that hardly move.

An address has a part of all connections, so that one stranger does not hold them; IPv6 is counted by network (/64),
since a household has one. Behind a proxy of its own (loopback) all are one address, which has no such bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Protocol, TypeVar

from contracts.mirrors.slots import FAIR_RATE, YOUNG

CONNECTIONS = 512
OF_NETWORK = 64


class Guest(Protocol):
    """A connection. `waits`: it is the client's turn to send, or to read."""

    @property
    def network(self) -> str: ...
    @property
    def waits(self) -> bool: ...
    @property
    def age(self) -> float: ...
    @property
    def speed(self) -> float: ...


G = TypeVar("G", bound=Guest)


def network_of(host: str) -> str:
    """What a client's address counts as; "" for loopback and what is none."""
    try:
        found: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return ""
    return str(found if isinstance(found, IPv4Address) else IPv6Network((int(found), 64), strict=False))


def leaving(new: G, others: Collection[G], of_network: int | None = None) -> G | None:
    """Who makes room for a newcomer: None where there is room, itself where nobody waits. An address has `of_network`
    connections, OF_NETWORK where that is not said, and any number for 0."""
    of_network = OF_NETWORK if of_network is None else of_network
    held = Counter(guest.network for guest in others)
    if new.network and of_network and held[new.network] >= of_network:
        rivals = [guest for guest in others if guest.network == new.network]
    elif sum(held.values()) >= CONNECTIONS:
        rivals = list(others)
    else:
        return None
    idle = [guest for guest in rivals if guest.waits and guest.speed < FAIR_RATE]
    return min(idle, key=lambda one: (-held[one.network], one.age < YOUNG, one.speed, -one.age), default=new)
