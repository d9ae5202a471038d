"""The blobs of a mirror: taken only where a message announced them, kept until their epoch is final.

Bytes go to a file beside the others while they are hashed, and take their name only when they are whole and right. So
a name in the folder is a promise about the bytes, and nothing half-written is ever served.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from contracts.files.blob_files import Arriving, BlobFiles
from contracts.ids import Address, RunId
from contracts.mirrors.slots import Sender
from verifier.mirror.errors import (
    BlobTooLarge,
    NotAnnounced,
    NotHeld,
    QuotaSpent,
    StoreUnusable,
    WrongBytes,
)
from verifier.mirror.store.announced import Announcement, BlobOrigin, blob_name
from verifier.mirror.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS announced (
    digest TEXT, key TEXT, size INTEGER, run TEXT, subject TEXT, round INTEGER, kind TEXT,
    PRIMARY KEY (digest, key, size, run, subject)
);
"""
_KNOWN = "SELECT 1 FROM announced WHERE digest = ? AND key = ? AND size = ? AND run = ? AND subject = ?"
_ANNOUNCED = "SELECT coalesce(sum(size), 0) FROM announced WHERE key = ? AND run = ? AND round = ?"
_LAST_ROUND = """
UPDATE announced SET round = max(round, ?) WHERE digest = ? AND key = ? AND size = ? AND run = ? AND subject = ?
"""
_REPLACED = """
DELETE FROM announced WHERE key = ? AND run = ? AND round = ? AND subject = ? AND subject != '' AND digest != ?
"""


class BlobStore:
    """A folder of blobs. `budget` gives the bytes that a key may have announced for a round, `sender` a key's stake and
    least rate in a run."""

    def __init__(
        self,
        folder: Path,
        budget: Callable[[BlobOrigin], int],
        sender: Callable[[Address, RunId], Sender] = lambda key, _: Sender(key),
    ) -> None:
        self._files = BlobFiles(folder / "held", folder / "coming")
        self._budget = budget
        self._sender = sender
        self._files.start()
        self._announced = Database(folder / "announced.db", _SCHEMA)
        self._lock = threading.RLock()
        self._tidy()

    def announce(self, blob: Announcement) -> None:
        """Take these bytes from now on. A repeated announcement counts once, and an earlier one of its subject no more.

        Raises QuotaSpent and DiskFull.
        """
        origin = blob.place
        identity = (blob.digest, blob.place.key, blob.size, blob.place.run, blob.subject)
        budget = self._budget(origin)  # of the machine, which has a lock of its own: asked while this file is free
        with self._announced.write() as tables:
            other = (origin.key, origin.run, origin.round, blob.subject, blob.digest)
            replaced = tables.execute(_REPLACED, other).rowcount
            existing = tables.execute(_KNOWN, identity).fetchone()
            if existing is None and self.announced_bytes(origin) + blob.size > budget:
                raise QuotaSpent(f"{origin.key} has announced all the bytes that its round needs")
            tables.execute("INSERT OR IGNORE INTO announced VALUES (?, ?, ?, ?, ?, 0, ?)", (*identity, blob.kind))
            tables.execute(_LAST_ROUND, (origin.round, *identity))
        if replaced:
            with self._lock:
                self._tidy()

    def announced_bytes(self, origin: BlobOrigin) -> int:
        """Bytes that a key has announced for a round, without forgotten ones."""
        return int(self._announced.rows(_ANNOUNCED, origin.key, origin.run, origin.round)[0][0])

    def missing(self) -> list[str]:
        """Digests that were announced and are not here."""
        names = [row[0] for row in self._announced.rows("SELECT DISTINCT digest FROM announced ORDER BY rowid")]
        return [name for name in names if not self.has(name)]

    def sizes(self, digest: str) -> frozenset[int]:
        """The sizes that were announced for a digest. Raises NotAnnounced."""
        return self._sizes(blob_name(digest))

    def senders(self, digest: str) -> dict[str, Sender]:
        """The keys that announced a digest, each with its best terms in any of its runs. Raises NotAnnounced."""
        self.sizes(digest)
        rows = self._announced.rows("SELECT key, run FROM announced WHERE digest = ? ORDER BY rowid", blob_name(digest))
        by_key: dict[str, Sender] = {}
        for key, run in rows:
            sender = self._sender(key, run)
            other = by_key.get(key, sender)
            by_key[key] = Sender(key, sender.staked or other.staked, min(sender.least_rate, other.least_rate))
        return by_key

    def has(self, digest: str) -> bool:
        """Whether a blob is here."""
        return self._files.has(blob_name(digest))

    @contextmanager
    def receive(self, digest: str, length: int | None = None) -> Iterator[Receiving]:
        """The receiver of a blob's bytes. Raises NotAnnounced, BlobTooLarge, WrongBytes and DiskFull.

        `length` is the number of bytes that the sender announces, None without one. A stranger's upload needs a place
        first (contracts/mirrors/slots.py); a blob that this verifier fetches or makes itself does not wait.
        """
        name = blob_name(digest)
        sizes = self.sizes(name)
        if length is not None and length not in sizes:
            raise (BlobTooLarge if length > max(sizes) else WrongBytes)(f"{length} bytes are not what was announced")
        with self._files.arriving() as arriving:
            yield Receiving(self, name, arriving, sizes)

    def keep(self, name: str, arriving: Arriving) -> None:
        """Give whole and right bytes their name, unless they were forgotten since. Raises NotAnnounced, DiskFull."""
        with self._lock:
            self._sizes(name)
            arriving.stay(self._files.folder)

    def open(self, digest: str) -> tuple[BinaryIO, int]:
        """A file to read a blob from, and its size in bytes. Raises NotHeld."""
        name = blob_name(digest)
        try:
            file = (self._files.folder / name).open("rb")
        except FileNotFoundError:
            raise NotHeld(f"no blob {name}; it may not have come yet") from None
        return file, os.fstat(file.fileno()).st_size

    def read(self, digest: str) -> bytes:
        """A blob for this verifier's own use, hashed anew: a spoilt blob is dropped, so that it is fetched again.

        Raises NotHeld and StoreUnusable.
        """
        self.open(digest)[0].close()
        data = self._files.read(blob_name(digest))
        if data is None:
            raise StoreUnusable(f"the disk has spoilt the blob {blob_name(digest)}")
        return data

    def forget(self, run: RunId, last_round: int) -> None:
        """A final epoch of this run ends with this round: blobs announced up to this round are no longer needed."""
        with self._lock:
            with self._announced.write() as tables:
                tables.execute("DELETE FROM announced WHERE run = ? AND round <= ?", (run, last_round))
            self._tidy()

    def close(self) -> None:
        """Let the files go."""
        self._announced.close()

    def _sizes(self, name: str) -> frozenset[int]:
        """The sizes by the file alone. Raises NotAnnounced."""
        rows = self._announced.rows("SELECT size FROM announced WHERE digest = ?", name)
        if not rows:
            raise NotAnnounced(f"no message that this mirror holds names the blob {name}")
        return frozenset(row[0] for row in rows)

    def _tidy(self) -> None:
        """Remove blobs without an announcement."""
        wanted = {row[0] for row in self._announced.rows("SELECT DISTINCT digest FROM announced")}
        for name in self._files.names():
            if name not in wanted:
                self._files.remove(name)


class Receiving:
    """Bytes that are coming in: counted and hashed as they are written, gone unless `finish` takes them."""

    def __init__(self, store: BlobStore, name: str, arriving: Arriving, sizes: frozenset[int]) -> None:
        self._store = store
        self._name = name
        self._arriving = arriving
        self._sizes = sizes

    def write(self, chunk: bytes) -> None:
        """The next bytes. Raises BlobTooLarge and DiskFull."""
        if self._arriving.count + len(chunk) > max(self._sizes):
            raise BlobTooLarge(f"more came than the {max(self._sizes)} bytes that were announced")
        self._arriving.write(chunk)

    def finish(self) -> None:
        """All bytes are there. Raises WrongBytes, NotAnnounced and DiskFull.

        Bytes of this name that have another size than its author announced are the author's lie, and not the sender's.
        """
        name = self._arriving.name
        count = self._arriving.count
        if name == self._name and count not in self._sizes:
            raise NotAnnounced(f"{count} bytes came, of which no message speaks")
        if name != self._name:
            raise WrongBytes(f"the bytes hash to {name}, not to {self._name}")
        self._store.keep(self._name, self._arriving)
