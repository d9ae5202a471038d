"""A folder of content-addressed files (BLAKE3). A name is a promise about the bytes, checked when written."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from blake3 import blake3

from ledger.errors import BlobMismatch, NotFound

_NAME = re.compile(r"[0-9a-f]{64}")


class BlobFolder:
    """Blobs below one folder; writes are atomic, so that a reader never sees half a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes, expected: str | None = None) -> str:
        """Store bytes and return their 64 hex digits. Raises BlobMismatch unless they are `expected`."""
        name = blake3(data).hexdigest()
        if expected is not None and name != expected:
            raise BlobMismatch(f"the bytes hash to {name}, not to {expected}")
        target = self._path(name)
        if target.exists():
            return name
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as scratch:
            scratch.write(data)
            scratch.flush()
            os.fsync(scratch.fileno())
        Path(scratch.name).replace(target)
        return name

    def beside(self, name: str) -> Path:
        """A folder next to the blobs, for what can be made again from the database."""
        folder = self._folder.parent / name
        folder.mkdir(exist_ok=True)
        return folder

    def path(self, name: str) -> Path:
        """Where a stored blob lies. Raises NotFound."""
        if not _NAME.fullmatch(name) or not self._path(name).exists():
            raise NotFound(f"no blob {name[:80]}; it may not have been uploaded yet")
        return self._path(name)

    def get(self, name: str) -> bytes:
        """The bytes. Raises NotFound."""
        return self.path(name).read_bytes()

    def _path(self, name: str) -> Path:
        return self._folder / name
