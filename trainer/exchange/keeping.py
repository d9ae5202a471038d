"""The outbox of a node, on its disk before anything is sent: messages under a name, and the blobs that they announce.

A name stands for one message for ever: a node that was killed sends the same message again, never another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.errors import CommonweightError
from contracts.files.blob_files import BlobFiles
from contracts.files.whole_file import replace_file, sweep
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, sign
from contracts.protocol.log.codec import canonical, parse, slug
from contracts.protocol.log.leaf import SIGNED
from contracts.protocol.log.signed import Envelope, read_envelope


@dataclass(frozen=True)
class Kept:
    """A message as it travels, under its name, and the BLAKE3 name of its blob, or nothing."""

    name: str
    text: str
    blob: str = ""

    @cached_property
    def message(self) -> Message:
        """The message in the text. Raises InvalidLeaf and BadField."""
        body = parse(self.text)
        return read_envelope(SIGNED[body.pop("kind")], body).message


def signed_text(message: Message, domain: Domain, key: bytes, beside: Mapping[str, Any]) -> str:
    """A message as it travels, signed with one key."""
    envelope = Envelope(message, (sign(message, domain, key),), beside)
    return canonical({"kind": slug(type(message)), **envelope.body()})


class KeptMessages:
    """A folder of messages and blobs, for one thread at a time.

    Raises DiskFull and OSError where the disk does not take them.
    """

    def __init__(self, folder: Path) -> None:
        self._messages, self._blobs = folder / "messages", BlobFiles(folder / "blobs")
        self._messages.mkdir(parents=True, exist_ok=True)
        sweep(self._messages)
        self._blobs.start()
        records = [self._read(path) for path in sorted(self._messages.glob("*.json"))]
        self._kept = {record.name: record for record in records if record is not None}
        self._tidy()

    def __iter__(self) -> Iterator[Kept]:
        return iter(tuple(self._kept.values()))

    def get(self, name: str) -> Kept | None:
        """The message under a name, with its blob."""
        return self._kept.get(name)

    def put(self, name: str, text: str, blob: bytes | None = None) -> Kept:
        """Write a message, its blob first; a message that has the name already stays."""
        existing = self._kept.get(name)
        if existing is not None:
            return existing
        digest = "" if blob is None else self._blobs.put(blob)
        record = Kept(name, text, digest)
        replace_file(self._path(name), json.dumps({"text": text, "blob": digest}).encode())
        self._kept[name] = record
        return record

    def drop(self, name: str) -> None:
        """Forget a message, and its blob if no other one announces it."""
        record = self._kept.pop(name)
        self._path(name).unlink(missing_ok=True)
        if record.blob and all(other.blob != record.blob for other in self._kept.values()):
            self._blobs.remove(record.blob)

    def blob_path(self, digest: str) -> Path:
        """The file of a blob."""
        return self._blobs.folder / digest

    def _path(self, name: str) -> Path:
        return self._messages / f"{name}.json"

    def _tidy(self) -> None:
        """Remove blobs that no message announces: a process was killed between blob and message."""
        digests = {record.blob for record in self._kept.values()}
        for name in self._blobs.names():
            if name not in digests:
                self._blobs.remove(name)

    def _read(self, path: Path) -> Kept | None:
        """A message of a file; None for one that cannot be read, or whose blob is spoilt: it is made again."""
        try:
            body = json.loads(path.read_bytes())
            record = Kept(path.stem, body["text"], body["blob"])
            is_sound = not record.blob or self._blobs.is_sound(record.blob)
            return record if record.message and is_sound else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, CommonweightError):
            return None
