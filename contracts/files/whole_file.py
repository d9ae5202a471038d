"""Files come to the disk of this machine whole, or not at all (docs/adr/0046-one-atomic-file-writer.md).

Bytes go to a part beside the file, are on the disk before the part takes the file's name, and are gone if anything
fails. A part is locked by its writer, so that one that a killed process left is told from one that is being written.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from secrets import token_hex
from types import TracebackType

from contracts.errors import CommonweightError

PART = ".part"
STALE_SECONDS = 3600.0
"""Seconds after which nobody is still writing a part, where the file system has no locks that could tell."""
_PART_NAME = re.compile(r"\.[0-9a-f]{12}\.part$")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(CommonweightError):
    """No room is left on the disk; what was being written is gone, and what was there is as it was."""

    code = "disk-full"
    status = 507


@contextmanager
def named_full(what: str) -> Iterator[None]:
    """A full disk, a spent quota and a file that may not grow by their name. Raises DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(f"no room is left for {what}") from error
        raise


class PartialFile:
    """Bytes on their way to a file in `folder`: gone with the block, unless `become` gave them a name."""

    def __init__(self, folder: Path, name: str = "file") -> None:
        self._what = name
        with named_full(name):
            self._handle, self.path = _opened(folder, name)

    def __enter__(self) -> PartialFile:
        return self

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """The next bytes. Raises DiskFull and OSError."""
        with named_full(self._what), memoryview(chunk) as view:
            at = 0
            while at < len(view):
                at += os.write(self._handle, view[at:])

    def become(self, target: Path, mode: int = 0o666, synced: bool = True) -> None:
        """Take the place of `target`, on the disk when this returns, unless the caller syncs the file later
        (`sync_file`). Raises DiskFull and OSError."""
        self._finish(mode, synced)
        with named_full(self._what):
            self.path.replace(target)
        if synced:
            sync_folder(target.parent)

    def become_new(self, target: Path, mode: int = 0o666) -> None:
        """The same where nothing may be replaced. Raises FileExistsError too."""
        self._finish(mode, True)
        with named_full(self._what):
            os.link(self.path, target)
        sync_folder(target.parent)

    def _finish(self, mode: int, synced: bool) -> None:
        with named_full(self._what):
            os.fchmod(self._handle, mode & ~_umask())
            if synced:
                os.fsync(self._handle)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):  # a full disk again, for a part that is thrown away anyway
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._handle)


def replace_file(path: Path, data: bytes | bytearray | memoryview, mode: int = 0o666) -> None:
    """The whole of a file at once, on the disk when this returns; of two writers at once one is the last.

    Readable as a file that is opened for writing is, of `mode` at most. Raises DiskFull and OSError, and then nothing
    of it is left.
    """
    with PartialFile(path.parent, path.name) as part:
        part.write(data)
        part.become(path, mode)


def create_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """A file that was not there, whole. Raises FileExistsError, DiskFull and OSError; then nothing of it is left."""
    with PartialFile(path.parent, path.name) as part:
        part.write(data)
        part.become_new(path, mode)


def save_file(path: Path, text: str) -> None:
    """Text that somebody asked for at a path: whole where a file is there or comes there, and straight into a pipe or a
    device. Raises DiskFull and OSError."""
    if path.exists() and not path.is_file():
        path.write_text(text)
        return
    replace_file(path.resolve(), text.encode())


def sync_file(path: Path) -> None:
    """The bytes of a file that a library wrote are on the disk when this returns. Raises DiskFull and OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with named_full(path.name):
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk when this returns."""
    sync_file(folder)


def sweep(folder: Path) -> None:
    """Remove the parts that killed writers left in a folder; those that somebody writes stay, and others' files too."""
    for path in folder.iterdir():
        if _PART_NAME.search(path.name) and _is_left(path):
            path.unlink(missing_ok=True)


def _opened(folder: Path, name: str) -> tuple[int, Path]:
    """A new locked part. Between its making and its lock a sweep may take it for one that was left: then another."""
    while True:
        path = folder / f"{name}.{token_hex(6)}{PART}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks
            flock(handle, LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)


def _is_left(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        flock(handle, LOCK_EX | LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - os.fstat(handle).st_mtime > STALE_SECONDS
    finally:
        os.close(handle)


def _umask() -> int:
    """The umask of this process: it can only be read by setting it, so the system's word for it is read instead."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0o077
