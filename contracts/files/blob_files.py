"""A folder of files named by the BLAKE3 digest of their bytes (64 hex digits).

A name is a promise about the bytes: it is given to whole and right ones only, and checked again whenever they are
read, since disks lose and flip bytes. A spoilt file is removed, so that it is fetched or made again.
"""

from __future__ import annotations

import errno
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from contracts.files.whole_file import PART, STALE_SECONDS, PartialFile, sweep

NAME = re.compile(r"[0-9a-f]{64}")
_BEFORE = re.compile(r"tmp[a-z0-9_]{8}")
"""Half-written files as earlier releases named them."""
_CHUNK = 2**20


class Arriving:
    """Bytes of a blob as they arrive, hashed while they are written."""

    def __init__(self, part: PartialFile) -> None:
        self._part, self._hash, self.count = part, blake3(), 0

    def write(self, chunk: bytes) -> None:
        """The next bytes. Raises DiskFull and OSError."""
        self._hash.update(chunk)
        self.count += len(chunk)
        self._part.write(chunk)

    @property
    def name(self) -> str:
        """The digest of the bytes that have come."""
        return self._hash.hexdigest()

    def stay(self, folder: Path) -> Path:
        """Give the bytes their name in a folder, on the disk when this returns. Raises DiskFull and OSError."""
        target = folder / self.name
        self._part.become(target)
        return target


class BlobFiles:
    """Blobs below one folder; several processes may share it. `coming` is where bytes wait for their name, on the same
    file system: the folder itself, without."""

    def __init__(self, folder: Path, coming: Path | None = None) -> None:
        self.folder = folder
        self._coming = coming or folder
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Make the folders, and remove files that killed processes left half-written."""
        for folder in {self.folder, self._coming}:
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            for path in folder.iterdir():
                if _is_old(path) or (folder != self.folder and not path.name.endswith(PART)):
                    path.unlink(missing_ok=True)

    @contextmanager
    def arriving(self) -> Iterator[Arriving]:
        """A sink for bytes as they come; gone with the block unless they stayed. Raises DiskFull and OSError."""
        with PartialFile(self._coming, "blob") as part:
            yield Arriving(part)

    def put(self, data: bytes) -> str:
        """Store bytes and return their name; where they are here already nothing is written. Raises DiskFull and
        OSError."""
        name = blake3(data).hexdigest()
        if not self.is_sound(name):
            with self.arriving() as arriving:
                arriving.write(data)
                arriving.stay(self.folder)
        return name

    def has(self, name: str) -> bool:
        """Whether a file of this name is here; its bytes are looked at when they are read."""
        return NAME.fullmatch(name) is not None and (self.folder / name).is_file()

    def is_sound(self, name: str) -> bool:
        """Whether the bytes of this name are here. They are hashed once a process, and again when the file changed;
        spoilt ones are removed."""
        if NAME.fullmatch(name) is None:
            return False
        path = self.folder / name
        digest = blake3()
        try:
            with path.open("rb") as file:
                stat = path.stat()
                version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if self._checked.get(name) == version:
                    return True
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # a sector that cannot be read is spoilt; a file of another's is not
                raise
            digest.reset()
        if digest.hexdigest() != name:
            path.unlink(missing_ok=True)
            return False
        with self._lock:
            self._checked[name] = version
        return True

    def read(self, name: str) -> bytes | None:
        """The bytes, hashed anew; None where they are not here, or spoilt and removed."""
        path = self.folder / name
        if NAME.fullmatch(name) is None:
            return None
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        if blake3(data).hexdigest() != name:
            path.unlink(missing_ok=True)
            return None
        return data

    def remove(self, name: str) -> None:
        """Forget a blob."""
        with self._lock:
            self._checked.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Names of all blobs that are here."""
        return sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))


def _is_old(path: Path) -> bool:
    return _BEFORE.fullmatch(path.name) is not None and time.time() - path.stat().st_mtime > STALE_SECONDS
