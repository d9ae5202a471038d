"""The connection that ends where there are too many: none that the server works for, first those that hardly move.

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
    """The network that a client's address counts as; "" for loopback and for a text that is no address."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return ""
    return str(ip if isinstance(ip, IPv4Address) else IPv6Network((int(ip), 64), strict=False))


def leaving(newcomer: G, guests: Collection[G], of_network: int | None = None) -> G | None:
    """The guest that makes room for a newcomer: None where there is room, the newcomer where nobody waits. An address
    has `of_network` connections, OF_NETWORK where that is not said, and any number for 0."""
    of_network = OF_NETWORK if of_network is None else of_network
    counts = Counter(guest.network for guest in guests)
    if newcomer.network and of_network and counts[newcomer.network] >= of_network:
        rivals = [guest for guest in guests if guest.network == newcomer.network]
    elif sum(counts.values()) >= CONNECTIONS:
        rivals = list(guests)
    else:
        return None
    idle = [guest for guest in rivals if guest.waits and guest.speed < FAIR_RATE]
    return min(
        idle, key=lambda rival: (-counts[rival.network], rival.age < YOUNG, rival.speed, -rival.age), default=newcomer
    )
