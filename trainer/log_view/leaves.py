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
    """Entries by their place; in memory are the places where they end. One thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._path, self._file = path, path.open("r+b", buffering=0)  # what a full disk refused stays nowhere
        self._ends = array("Q")
        self._scan()

    def __len__(self) -> int:
        return len(self._ends)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries from `start` up to `end`."""
        if start >= end:
            return []
        first = self._begin(start)
        self._file.seek(first)
        data = self._file.read(self._ends[end - 1] - first)
        places = [self._begin(place) - first for place in range(start, end)] + [len(data)]
        return [data[at + _LENGTH : after] for at, after in pairwise(places)]

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

    def _write(self, at: int, data: bytes) -> None:
        handle = self._file.fileno()
        left = memoryview(data)
        while left:
            written = os.pwrite(handle, left, at)
            at = at + written
            left = left[written:]

    def _begin(self, place: int) -> int:
        return self._ends[place - 1] if place else 0

    def _scan(self) -> None:
        whole = os.fstat(self._file.fileno()).st_size
        at = 0
        with self._path.open("rb") as file:
            while at + _LENGTH <= whole:
                file.seek(at)
                at += _LENGTH + int.from_bytes(file.read(_LENGTH), "big")
                if at > whole:
                    break
                self._ends.append(at)
        self._file.truncate(self._begin(len(self)))
