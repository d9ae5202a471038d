"""The server's blobs: a folder of files named by their BLAKE3 digest (contracts/files/blob_files.py)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from contracts.files.blob_files import Arriving, BlobFiles
from contracts.files.whole_file import sweep
from ledger.errors import BlobMismatch, NotFound


class BlobFolder:
    """Blobs below one folder, which several processes may share; a reader never sees half a file.

    Half-written files of killed processes are removed at the opening, and in a folder beside at its first use.
    """

    def __init__(self, folder: Path) -> None:
        self._files = BlobFiles(folder)
        self._files.start()
        self._swept: set[str] = set()

    def put(self, data: bytes, expected: str | None = None) -> str:
        """Store bytes and return their 64 hex digits. Raises BlobMismatch unless they are `expected`, and DiskFull."""
        with self.arriving() as arriving:
            arriving.write(data)
            self.keep(arriving, expected)
        return arriving.name

    def arriving(self) -> AbstractContextManager[Arriving]:
        """A file for a blob's bytes as they come, removed at the block's end unless it was kept. Raises DiskFull."""
        return self._files.arriving()

    def keep(self, arriving: Arriving, expected: str | None) -> None:
        """Store the bytes that came. Raises BlobMismatch unless it is `expected`, and DiskFull."""
        if expected is not None and arriving.name != expected:
            raise BlobMismatch(f"the bytes hash to {arriving.name}, not to {expected}")
        if not self._files.is_sound(arriving.name):
            arriving.stay(self._files.folder)

    def beside(self, name: str) -> Path:
        """A folder next to the blobs, for what can be made again from the database."""
        folder = self._files.folder.parent / name
        folder.mkdir(exist_ok=True)
        if name not in self._swept:
            self._swept.add(name)
            sweep(folder)
        return folder

    def path(self, name: str) -> Path:
        """The file of a stored blob. Raises NotFound, also for one that the disk has spoilt: it is removed, and taken
        again."""
        if not self._files.is_sound(name):
            raise NotFound(f"no blob {name[:80]}; it may not have been uploaded yet")
        return self._files.folder / name

    def get(self, name: str) -> bytes:
        """The bytes, hashed anew. Raises NotFound."""
        data = self._files.read(self.path(name).name)
        if data is None:
            raise NotFound(f"the disk has spoilt the blob {name}; it is to be uploaded again")
        return data
