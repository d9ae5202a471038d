"""What a node has to hand, on its disk before it is sent: messages under a name, and the blobs that they announce.

A name stands for one message for ever: who was killed hands the same one again, never another in its place.
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
        """What it says. Raises InvalidLeaf and BadField."""
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
        found = [self._read(path) for path in sorted(self._messages.glob("*.json"))]
        self._kept = {kept.name: kept for kept in found if kept is not None}
        self._tidy()

    def __iter__(self) -> Iterator[Kept]:
        return iter(tuple(self._kept.values()))

    def get(self, name: str) -> Kept | None:
        """What is kept under a name."""
        return self._kept.get(name)

    def put(self, name: str, text: str, blob: bytes | None = None) -> Kept:
        """Write a message, its blob first; what the name stands for already stays."""
        known = self._kept.get(name)
        if known is not None:
            return known
        digest = "" if blob is None else self._blobs.put(blob)
        kept = Kept(name, text, digest)
        replace_file(self._path(name), json.dumps({"text": text, "blob": digest}).encode())
        self._kept[name] = kept
        return kept

    def drop(self, name: str) -> None:
        """Forget a message, and its blob if no other one announces it."""
        kept = self._kept.pop(name)
        self._path(name).unlink(missing_ok=True)
        if kept.blob and all(other.blob != kept.blob for other in self._kept.values()):
            self._blobs.remove(kept.blob)

    def blob_path(self, digest: str) -> Path:
        """The file of a blob."""
        return self._blobs.folder / digest

    def _path(self, name: str) -> Path:
        return self._messages / f"{name}.json"

    def _tidy(self) -> None:
        """Remove blobs that no message announces: a killed process wrote them first."""
        wanted = {kept.blob for kept in self._kept.values()}
        for name in self._blobs.names():
            if name not in wanted:
                self._blobs.remove(name)

    def _read(self, path: Path) -> Kept | None:
        """What cannot be read, or whose blob is spoilt, was never kept: it is made again."""
        try:
            body = json.loads(path.read_bytes())
            kept = Kept(path.stem, body["text"], body["blob"])
            whole = not kept.blob or self._blobs.is_sound(kept.blob)
            return kept if kept.message and whole else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, CommonweightError):
            return None
