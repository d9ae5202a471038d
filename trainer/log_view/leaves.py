"""The log's entries on the node's disk, so that a restart does not fetch them again: one file, which only grows.

Each entry stands after its length in two bytes, high first, as in an entry bundle of tlog-tiles. An entry that a kill
cut off is dropped when the file is opened.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from contracts.files.whole_file import named_full
from contracts.tlog.bundles import format_entry

_LENGTH = 2


class LeafFile:
    """Entries by their index; in memory are the offsets where they end. One thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._path, self._file = path, path.open("r+b", buffering=0)  # what a full disk refused is in no buffer
        self._ends = array("Q")
        self._scan()

    def __len__(self) -> int:
        return len(self._ends)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries from `start` up to `end`."""
        if start >= end:
            return []
        offset = self._begin(start)
        self._file.seek(offset)
        data = self._file.read(self._ends[end - 1] - offset)
        offsets = [self._begin(index) - offset for index in range(start, end)] + [len(data)]
        return [data[lower + _LENGTH : upper] for lower, upper in pairwise(offsets)]

    def append(self, entries: Sequence[bytes]) -> None:
        """More entries, on the disk when this returns. Raises EntryTooLarge, DiskFull and OSError."""
        end = self._begin(len(self))
        data = [format_entry(entry) for entry in entries]
        with named_full(self._path.name):
            self._write(end, b"".join(data))
            os.fsync(self._file.fileno())
        for part in data:
            end += len(part)
            self._ends.append(end)

    def truncate(self, size: int) -> None:
        """Keep the first `size` entries."""
        self._file.truncate(self._begin(size))
        del self._ends[size:]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _write(self, offset: int, data: bytes) -> None:
        handle = self._file.fileno()
        rest = memoryview(data)
        while rest:
            count = os.pwrite(handle, rest, offset)
            offset = offset + count
            rest = rest[count:]

    def _begin(self, index: int) -> int:
        return self._ends[index - 1] if index else 0

    def _scan(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        offset = 0
        with self._path.open("rb") as file:
            while offset + _LENGTH <= size:
                file.seek(offset)
                offset += _LENGTH + int.from_bytes(file.read(_LENGTH), "big")
                if offset > size:
                    break
                self._ends.append(offset)
        self._file.truncate(self._begin(len(self)))
