"""This verifier's signatures on messages that contracts read, and those of other verifiers on the same messages.

A message is here because this verifier's machine derived it; so others may add only one signature each.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from contracts.errors import BadField, BadSignature
from contracts.ids import Address, as_address, from_hex, to_hex
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault, from_json, to_json
from contracts.messages.signatures import Domain, digest, require_signer
from verifier.mirror.store.database import Database

Charter: TypeAlias = EpochRoot | NodeFault | VerifierFault
KINDS: dict[str, type[Charter]] = {kind.__name__: kind for kind in (EpochRoot, NodeFault, VerifierFault)}
SIGNERS = 256
"""Signatures under one message at most: no deployment has more verifiers."""
SHOWN = 1_000
"""Signatures in one answer."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS charter (
    digest TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, since REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS signature (
    digest TEXT NOT NULL REFERENCES charter, signer TEXT NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (digest, signer)
);
"""
_ALL = "SELECT digest, subject, kind, message, since FROM charter ORDER BY rowid"
_GIVEN = "SELECT signer, signature FROM signature WHERE digest = ? ORDER BY signer"
_SHOW = """
SELECT kind, message, signer, signature FROM signature JOIN charter USING (digest)
ORDER BY charter.rowid, signer LIMIT ?
"""


@dataclass(frozen=True)
class DueMessage:
    """A message that is due on the chain, with its subject; `since` (Unix seconds) is when it was signed, for people:
    nothing is compared with that time."""

    digest: str
    subject: str
    message: Charter
    since: float
    signatures: Mapping[str, bytes]


class QuorumStore:
    """One verifier's file. `news` is set when something was signed. Raises DiskFull and StoreUnusable."""

    def __init__(self, path: Path, domain: Domain, now: Callable[[], float] = time.time) -> None:
        self._file = Database(path, _SCHEMA)
        self._domain = domain
        self._now = now
        self.news = threading.Event()

    def keep(self, subject: str, message: Charter, signer: str, signature: bytes) -> bool:
        """Keep the own signature, on the disk before it is sent; returns whether it is new."""
        name = to_hex(digest(message, self._domain))
        row = (name, subject, type(message).__name__, json.dumps(to_json(message)), self._now())
        with self._file.write() as tables:
            tables.execute("INSERT OR IGNORE INTO charter VALUES (?, ?, ?, ?, ?)", row)
            new = tables.execute(
                "INSERT OR IGNORE INTO signature VALUES (?, ?, ?)", (name, signer, to_hex(signature))
            ).rowcount
        self.news.set()
        return bool(new)

    def has(self, message: Charter) -> bool:
        """Whether a message is signed here."""
        name = to_hex(digest(message, self._domain))
        return bool(self._file.rows("SELECT 1 FROM charter WHERE digest = ?", name))

    def all(self) -> list[DueMessage]:
        """All messages that are signed here, the oldest first."""
        return [
            DueMessage(name, subject, from_json(KINDS[kind], json.loads(text)), since, self._given(name))
            for name, subject, kind, text, since in self._file.rows(_ALL)
        ]

    def forget(self, due: Collection[str]) -> None:
        """Forget messages about all other subjects than these."""
        rows = [(name,) for name, subject, *_ in self._file.rows(_ALL) if subject not in due]
        if rows:
            with self._file.write() as tables:
                tables.executemany("DELETE FROM signature WHERE digest = ?", rows)
                tables.executemany("DELETE FROM charter WHERE digest = ?", rows)

    def show(self) -> bytes:
        """The signatures that are here, for other verifiers and for anybody who brings them to the chain.

        Signatures under the oldest messages come first, since epochs become final in their order.
        """
        entries = [
            {"kind": kind, "message": json.loads(message), "signer": signer, "signature": signature}
            for kind, message, signer, signature in self._file.rows(_SHOW, SHOWN)
        ]
        return json.dumps({"signatures": entries}).encode()

    def take(self, data: bytes, is_verifier: Callable[[Address], bool]) -> int:
        """Add another mirror's signatures on messages that are signed here; returns how many of them are new.

        Raises BadField for another form; signatures on other messages, and wrong ones, are passed over.
        """
        taken = 0
        for entry in _entries(data):
            taken += self._take(entry, is_verifier)
        return taken

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _take(self, entry: Any, is_verifier: Callable[[Address], bool]) -> bool:
        try:
            message = from_json(KINDS[entry["kind"]], entry["message"])
            signer = as_address(str(entry["signer"]))
            signature = from_hex(str(entry["signature"]))
        except (KeyError, TypeError, ValueError, AttributeError, BadField):
            return False
        if isinstance(message, VerifierFault) and signer.lower() == message.verifier.lower():
            return False  # no verifier judges its own case
        name = to_hex(digest(message, self._domain))
        signatures = self._given(name)
        if not signatures or signer in signatures or len(signatures) >= SIGNERS or not is_verifier(signer):
            return False
        try:
            require_signer(message, self._domain, signature, signer)
        except BadSignature:
            return False
        with self._file.write() as tables:
            row = (name, signer, to_hex(signature))
            return bool(tables.execute("INSERT OR IGNORE INTO signature VALUES (?, ?, ?)", row).rowcount)

    def _given(self, name: str) -> dict[str, bytes]:
        return {signer: from_hex(text) for signer, text in self._file.rows(_GIVEN, name)}


def _entries(data: bytes) -> list[Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadField("a list of signatures is JSON") from error
    entries = body.get("signatures") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise BadField("signatures must be a list")
    return entries[:SHOWN]
