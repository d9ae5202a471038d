"""Places at which a log can be read: a server, a verifier's mirror, or static files, in a folder or at a url.

All of them have the names of C2SP's tlog-tiles. Their bytes are checked by the reader (contracts/mirrors/reading.py).
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from contracts.errors import CommonweightError
from contracts.mirrors.book import MAX_MIRRORS
from contracts.mirrors.peer import ERROR_BYTES, Peer, PeerUnreachable, Reply
from contracts.tlog.bundles import MAX_BUNDLE
from contracts.tlog.keys import VerifierKey
from contracts.tlog.mirror import origin_hash
from contracts.tlog.note import MAX_NOTE
from contracts.tlog.text import HASH
from contracts.tlog.tiles import WIDTH, Tile

SERVER, STATIC = "/log", ""
"""The prefix of a log at a server, and among plain files."""
TRIES = 4
_CHECKPOINT = "checkpoint"


class LogUnreadable(CommonweightError):
    """No log stands at an address, or a file of it is missing."""

    code = "log-unreadable"
    status = 502


class Place(Protocol):
    """A copy of a log."""

    @property
    def name(self) -> str:
        """For people."""

    def checkpoint(self) -> bytes:
        """The log's head, as it stands there. Raises LogUnreadable, PeerUnreachable and PeerMisbehaved."""

    def tile(self, tile: Tile) -> bytes:
        """A tile, or the entries under one. Raises as `checkpoint`."""

    def mirrors(self) -> bytes:
        """The list of mirrors, empty where there is none. Raises as `checkpoint`."""


class Web:
    """One address, asked from one thread; a request whose connection was lost is repeated, in so many tries."""

    def __init__(self, url: str, loopback: bool = False, chosen: bool = True, tries: int = TRIES) -> None:
        self.url = url.rstrip("/")
        self._tries = tries
        self._peer = Peer(self.url, loopback, chosen=chosen)

    def get(self, path: str, most: int, seconds: float | None = None, tries: int | None = None) -> Reply:
        """At most `most` bytes. Raises PeerUnreachable and PeerMisbehaved."""
        for tries_left in range((tries or self._tries) - 1, -1, -1):
            try:
                return asyncio.run(self._peer.get(path, most, seconds))
            except PeerUnreachable:
                if not tries_left:
                    raise
                time.sleep(0.5)
        raise AssertionError("the last try returns or raises")

    def post(self, path: str, body: bytes) -> Reply:
        """Send bytes once. Raises as `get`."""
        return asyncio.run(self._peer.post(path, body, ERROR_BYTES))


class WebPlace:
    """A log below a prefix of an address."""

    def __init__(self, web: Web, prefix: str) -> None:
        self._web = web
        self._prefix = prefix

    @property
    def name(self) -> str:
        """The address."""
        return self._web.url

    def checkpoint(self) -> bytes:
        """The head that is shown now."""
        return self._get(_CHECKPOINT, MAX_NOTE)

    def tile(self, tile: Tile) -> bytes:
        """The tile by its name."""
        return self._get(tile.path(), MAX_BUNDLE if tile.entries else WIDTH * HASH)

    def mirrors(self) -> bytes:
        """A server lists them below its API, a mirror at its root, files nowhere."""
        if self._prefix == STATIC:
            return b""
        reply = self._web.get("/v1/mirrors" if self._prefix == SERVER else "/mirrors", MAX_MIRRORS)
        return reply.body if reply.status == 200 else b""

    def _get(self, path: str, most: int) -> bytes:
        reply = self._web.get(f"{self._prefix}/{path}", most)
        if reply.status != 200:
            raise LogUnreadable(f"{self.name} answered {reply.status} to {self._prefix}/{path}")
        return reply.body


class FolderPlace:
    """A log as files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._folder)

    def checkpoint(self) -> bytes:
        """The file `checkpoint`."""
        return self._read(_CHECKPOINT)

    def tile(self, tile: Tile) -> bytes:
        """The file of its name."""
        return self._read(tile.path())

    def mirrors(self) -> bytes:
        """Files list none."""
        return b""

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError as error:
            raise LogUnreadable(f"{self._folder / path}: {error.strerror}") from None


def open_place(address: str, log: VerifierKey) -> Place:
    """The folder of this name, or the server of the log at this url. Raises LogUnreadable, and as `Web.get` does."""
    if not address.startswith(("http://", "https://")):
        return FolderPlace(Path(address))
    web = Web(address)
    for prefix in (SERVER, f"/{origin_hash(log.name)}", STATIC):
        if web.get(f"{prefix}/{_CHECKPOINT}", MAX_NOTE).status == 200:
            return WebPlace(web, prefix)
    raise LogUnreadable(f"{address} serves no log of {log.name}")


def mirror_place(url: str, log: VerifierKey, loopback: bool, tries: int = TRIES) -> Place:
    """A verifier's mirror, at an address that its verifier gave."""
    return WebPlace(Web(url, loopback, chosen=False, tries=tries), f"/{origin_hash(log.name)}")


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine: then those of its mirrors may be, too."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
