"""Where verifiers serve their mirrors: the newest signed address of each, and which addresses may be reached at all.

An address comes from a stranger. So a name is resolved once, every address that it has must be public, and the
connection goes to the one that was checked: else a name could mean another machine a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.protocol.messages import MirrorAddress
from verifier.mirror.database import Database
from verifier.mirror.errors import InvalidMirrorAddress, NotWelcome
from verifier.mirror.parsing import Reader, Signed

MAX_URL = 200
NOWHERE = "-"
"""The address of a verifier that cannot be reached; a message's text cannot be empty."""

_PORTS = {"http": 80, "https": 443}
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Addresses that count as public and are served to a cloud's own machines."""
_REFUSED = tuple(
    map(ipaddress.ip_network, ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10"))
)
"""Networks of IPv6 that count as public, behind which any address of IPv4 may be; the last is of a site."""

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Iterable[str]]
"""A host's addresses as text. May raise OSError."""


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
        """Who is spoken to, as a request says it."""
        host = f"[{self.url.host}]" if ":" in self.url.host else self.url.host
        return host if self.url.port == _PORTS[self.url.scheme] else f"{host}:{self.url.port}"


def parse_url(text: str, loopback: bool) -> Url:
    """Raises InvalidMirrorAddress for what is no plain http or https url, or names an address that is not public."""
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
    _check_literal(parts.hostname, loopback)
    return Url(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def check_public(text: str, loopback: bool) -> None:
    """Raises InvalidMirrorAddress unless an address (as text) is public, or of this machine where that is allowed."""
    found = _plain(ipaddress.ip_address(text))
    if found.is_loopback and loopback:
        return
    if not found.is_global or found.is_multicast or found in _METADATA or _is_refused(found):
        raise InvalidMirrorAddress(f"{text} is no public address")


def system_resolve(host: str, port: int) -> list[str]:
    """The system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


async def find(text: str, loopback: bool, resolve: Resolve = system_resolve) -> Target:
    """Resolve a url once; all that its host means must be public. Raises InvalidMirrorAddress and OSError."""
    url = parse_url(text, loopback)
    found = await asyncio.to_thread(lambda: list(resolve(url.host, url.port)))
    if not found:
        raise InvalidMirrorAddress(f"{url.host} has no address")
    for ip in found:
        check_public(ip, loopback)
    return Target(url, found[0])


@dataclass(frozen=True)
class Address:
    """Where a verifier is, by its own word: `text` is the signed message, empty for one of the deployment file."""

    url: str
    sequence: int
    digest: str
    text: str


class AddressBook:
    """The newest address of each verifier. `is_verifier` bounds it to those who are admitted."""

    def __init__(
        self,
        path: Path,
        reader: Reader,
        is_verifier: Callable[[str], bool],
        loopback: bool = False,
        first: Mapping[str, str] | None = None,
    ) -> None:
        self._reader, self._is_verifier, self.loopback = reader, is_verifier, loopback
        self._file, self._lock = Database(path, _SCHEMA), threading.RLock()
        self._newest: dict[str, Address] = {
            to_checksum_address(v): Address(url, -1, "", "") for v, url in (first or {}).items()
        }
        self._load()

    def take(self, signed: Signed) -> bool:
        """Keep an address if it is its verifier's newest; returns whether it is.

        Of two under one number the one with the larger digest counts, so that all mirrors agree.
        Raises NotWelcome, InvalidMirrorAddress and DiskFull.
        """
        author, address = self._address(signed)
        if not self._is_verifier(author):
            raise NotWelcome(f"{author} is no verifier")
        with self._lock:
            known = self._newest.get(author)
            if known is not None and (known.sequence, known.digest) >= (address.sequence, address.digest):
                return False
            with self._file.write() as tables:
                tables.execute("INSERT OR REPLACE INTO address VALUES (?, ?)", (author, signed.text))
            self._newest[author] = address
            return True

    def newest(self) -> dict[str, Address]:
        """By verifier, those who are verifiers no more left out."""
        with self._lock:
            return {verifier: address for verifier, address in self._newest.items() if self._is_verifier(verifier)}

    def reachable(self, but: str = "") -> dict[str, str]:
        """Urls by verifier, without one's own."""
        found = self.newest()
        return {v: a.url for v, a in found.items() if a.url != NOWHERE and v.lower() != but.lower()}

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _address(self, signed: Signed) -> tuple[str, Address]:
        message = signed.message
        if not isinstance(message, MirrorAddress):
            raise NotWelcome("not the address of a mirror")
        if message.url != NOWHERE:
            parse_url(message.url, self.loopback)
        return signed.signers[0], Address(message.url, message.sequence, signed.digest, signed.text)

    def _load(self) -> None:
        for author, text in self._file.rows("SELECT verifier, text FROM address"):
            try:
                signer, address = self._address(self._reader.read(text.encode()))
            except CommonweightError:
                continue
            if signer == author:
                self._newest[author] = address


_SCHEMA = "CREATE TABLE IF NOT EXISTS address (verifier TEXT PRIMARY KEY, text TEXT NOT NULL);"


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
