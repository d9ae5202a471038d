"""Where mirrors are: the deployment's first addresses, and the newest that each verifier signed.

Anybody can make keys and sign addresses. So verifiers that are asked for, or that the deployment names, come first in
every answer, and get a stranger's place where all are taken: nobody keeps a place from them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull, replace_file
from contracts.ids import Address, as_address
from contracts.messages.for_log import MirrorAddress
from contracts.messages.signatures import Domain, recover
from contracts.mirrors.urls import NOWHERE, parse_url
from contracts.protocol.log.codec import InvalidLeaf, parse
from contracts.protocol.log.signed import read_envelope

MAX_MIRRORS = 2**20
"""Bytes of an answer with addresses, and with evidence."""
MOST = 256
"""Addresses in one answer that are looked at, and that are kept."""


class Book:
    """Addresses in a file. Threads may share it."""

    def __init__(self, path: Path, domain: Domain, first: Mapping[str, str], loopback: bool) -> None:
        self._path = path
        self._domain = domain
        self.loopback = loopback
        self._first: dict[str, str] = {to_checksum_address(verifier): url for verifier, url in first.items()}
        self._asked: frozenset[str] = frozenset()
        self._newest: dict[str, tuple[int, str]] = {}
        self._bodies: dict[str, object] = {}
        self._lock = threading.Lock()
        self._load()

    def take_answer(self, data: bytes) -> None:
        """Take the answer of `GET /mirrors`. Raises InvalidLeaf for another form; single entries are passed over."""
        body = parse(data.decode(errors="replace"))
        entries = body.get("mirrors") if isinstance(body, dict) else None
        if not isinstance(entries, list):
            raise InvalidLeaf("a list of mirrors has another form")
        bodies = [entry["message"] for entry in entries if isinstance(entry, dict) and "message" in entry]
        objects = [body for body in bodies if isinstance(body, dict)]
        entries = sorted(objects, key=lambda body: not self._matters(as_address(named_verifier(body))))[:MOST]
        results = [self._keep(body) for body in entries]
        if any(results):
            self._write()

    def take(self, body: Mapping[str, Any]) -> bool:
        """Keep a signed address if it is its verifier's newest; returns whether it is."""
        is_newest = self._keep(body)
        if is_newest:
            self._write()
        return is_newest

    def _keep(self, body: Mapping[str, Any]) -> bool:
        """Keep an address in memory."""
        try:
            verifier, address = self._read(body)
        except CommonweightError:
            return False
        with self._lock:
            newest = self._newest.get(verifier)
            if newest is not None and newest >= (address.sequence, address.url):
                return False
            if newest is None and not self._has_place(as_address(verifier)):
                return False
            self._newest[verifier], self._bodies[verifier] = (address.sequence, address.url), dict(body)
            return True

    def _write(self) -> None:
        """Outside of the lock: nobody who asks for addresses waits for a disk. An address that a disk does not take is
        in memory all the same, and after a restart it is asked for again."""
        with self._lock:
            data = json.dumps(list(self._bodies.values())).encode()
        with suppress(OSError, DiskFull):
            replace_file(self._path, data)

    def urls(self, verifiers: Collection[str]) -> dict[str, str]:
        """Urls by verifier: of these, which matter from now on, and of the deployment's first mirrors."""
        with self._lock:
            self._asked = frozenset(verifiers)
            signed_urls = {v: url for v, (_, url) in self._newest.items() if v in verifiers or v in self._first}
        newest: dict[str, str] = self._first | signed_urls
        return {verifier: url for verifier, url in newest.items() if url != NOWHERE}

    def _matters(self, verifier: Address) -> bool:
        return verifier in self._asked or verifier in self._first

    def _has_place(self, verifier: Address) -> bool:
        """Whether one more may be kept; for one that matters a stranger goes."""
        if len(self._newest) < MOST:
            return True
        strangers = [name for name in self._newest if not self._matters(as_address(name))]
        if not strangers or not self._matters(verifier):
            return False
        del self._newest[strangers[0]], self._bodies[strangers[0]]
        return True

    def _read(self, body: Mapping[str, Any]) -> tuple[str, MirrorAddress]:
        inner = {name: value for name, value in body.items() if name != "kind"}
        if body.get("kind") != "mirror-address":
            raise InvalidLeaf("not the address of a mirror")
        envelope = read_envelope(MirrorAddress, inner)
        address = envelope.message
        assert isinstance(address, MirrorAddress), "it was read as one"
        if [recover(address, self._domain, signature) for signature in envelope.signatures] != [address.verifier]:
            raise InvalidLeaf(f"not signed by {address.verifier}")
        if address.url != NOWHERE:
            parse_url(address.url, self.loopback)
        return address.verifier, address

    def _load(self) -> None:
        try:
            bodies = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return
        for body in bodies if isinstance(bodies, list) else ():
            if isinstance(body, dict):
                self._keep(body)


def named_verifier(body: Mapping[str, Any]) -> str:
    """The verifier that a body names, before anything is checked."""
    message = body.get("message")
    name = message.get("verifier") if isinstance(message, dict) else None
    return name if isinstance(name, str) else ""
