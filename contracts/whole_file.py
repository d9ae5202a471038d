"""Files that are written whole: a kill leaves the old one or the new one."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

STALE_SECONDS = 3600.0
"""After which nobody is still writing what a killed process left half-written."""


def replace_file(path: Path, data: bytes) -> None:
    """The whole of a file at once, on the disk when this returns; of two writers at once one is the last.

    Readable as a file that is opened for writing is. Raises OSError, and then nothing of it is left.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".part", delete=False) as file:
        scratch = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
            scratch.replace(path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)
    _sweep(path)


def _umask() -> int:
    """Of this process: it can only be read by setting it, so the system's word for it is read instead."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0o077


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk when this returns."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(path: Path) -> None:
    """What killed writers of this file left."""
    for left in path.parent.glob(f"{path.name}.*.part"):
        try:
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()
        except FileNotFoundError:
            continue
