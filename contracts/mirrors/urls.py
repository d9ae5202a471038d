"""Where mirrors may be reached at all: the form of their addresses, and which machines these may mean.

An address comes from a stranger. So a name is resolved once, every address that it has must be public, and the
connection goes to the one that was checked: else a name could mean another machine a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from contracts.errors import CommonweightError
from contracts.process.http_url import http_url_or_nothing

MAX_URL = 200
NOWHERE = "-"
"""The address of a verifier that cannot be reached; a message's text cannot be empty."""

_PORTS = {"http": 80, "https": 443}
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Addresses that count as public and are served to a cloud's own machines."""
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "::/96",
            "::ffff:0:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "fec0::/10",
            "3fff::/20",
            "5f00::/16",
        ),
    )
)
"""Networks of IPv6 that count as public, behind which any address of IPv4 may be; the last are of a site, of examples
(RFC 9637) and of routers (RFC 9602)."""

_RESOLVING = ThreadPoolExecutor(64, "resolve")
"""Names are resolved in threads of their own: those of a loop may all be waiting for an answer."""

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Iterable[str]]
"""A host's addresses as text. May raise OSError."""


def public_address(text: str) -> str:
    """A mirror's address as its owner gives it: an address, nothing for its own, or `-` for none. Raises
    ValueError."""
    return text.strip() if text.strip() == NOWHERE else http_url_or_nothing(text)


class InvalidMirrorAddress(CommonweightError):
    """No address at which a mirror may be reached."""

    code = "invalid-mirror-address"
    status = 422


@dataclass(frozen=True)
class Url:
    """A mirror's address in its parts; `prefix` begins with a slash or is empty, and does not end in one."""

    scheme: str
    host: str
    port: int
    prefix: str


@dataclass(frozen=True)
class Target:
    """A url, and the one address of its host to which the connection goes."""

    url: Url
    ip: str

    def base(self) -> str:
        """The url with the address in the host's place."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.url.scheme}://{host}:{self.url.port}{self.url.prefix}"

    def host_header(self) -> str:
        """The value of a request's `Host`."""
        host = f"[{self.url.host}]" if ":" in self.url.host else self.url.host
        return host if self.url.port == _PORTS[self.url.scheme] else f"{host}:{self.url.port}"


def parse_url(text: str, loopback: bool, chosen: bool = False) -> Url:
    """Raises InvalidMirrorAddress for what is no plain http or https url, or names an address that is not public
    (which a url that its user has `chosen` may)."""
    if len(text) > MAX_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise InvalidMirrorAddress(f"a mirror's address has at most {MAX_URL} characters, printable and without blanks")
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise InvalidMirrorAddress(f"not a url: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidMirrorAddress("a mirror's address begins with http:// or https:// and a host")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise InvalidMirrorAddress("a mirror's address names no user, no query and no fragment")
    if "%" in parts.netloc:
        raise InvalidMirrorAddress("a mirror's host has no escapes and no zone")
    if not chosen:
        _check_literal(parts.hostname, loopback)
    return Url(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def check_public(text: str, loopback: bool) -> None:
    """Raises InvalidMirrorAddress unless an address (as text) is public, or of this machine where that is allowed."""
    ip = _plain(ipaddress.ip_address(text))
    if ip.is_loopback and loopback:
        return
    if not ip.is_global or ip.is_multicast or ip in _METADATA or _is_refused(ip):
        raise InvalidMirrorAddress(f"{text} is no public address")


def system_resolve(host: str, port: int) -> list[str]:
    """The system's resolver."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


async def find(text: str, loopback: bool, resolve: Resolve = system_resolve, chosen: bool = False) -> Target:
    """Resolve a url once; all that its host means must be public, unless its user has `chosen` it.

    Raises InvalidMirrorAddress and OSError.
    """
    url = parse_url(text, loopback, chosen)
    ips = await asyncio.get_running_loop().run_in_executor(_RESOLVING, _resolved, resolve, url)
    if not ips:
        raise InvalidMirrorAddress(f"{url.host} has no address")
    for ip in ips if not chosen else ():
        check_public(ip, loopback)
    return Target(url, ips[0])


def _resolved(resolve: Resolve, url: Url) -> list[str]:
    return list(resolve(url.host, url.port))


def _check_literal(host: str, loopback: bool) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    check_public(host, loopback)


def _plain(ip: Ip) -> Ip:
    """An address of IPv4 that is written as one of IPv6 is that of IPv4."""
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _is_refused(ip: Ip) -> bool:
    return any(ip.version == network.version and ip in network for network in _REFUSED)
