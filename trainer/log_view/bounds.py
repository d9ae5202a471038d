"""Bounds of a look at the log, in bytes and seconds for each source: a source that serves a log without an end, or at a
trickle, is left for another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.errors import CommonweightError
from contracts.tlog.tile_tree import Read
from contracts.tlog.tiles import WIDTH, Tile

BUNDLES = 64
"""Entry bundles of one source in a look, of 256 entries each."""
BYTES = 2**26
"""Bytes of entries of one source in a look."""
SOURCE_SECONDS, LOOK_SECONDS = 10.0, 30.0
"""For one source, and for all; a call that is under way at the end has its own limit."""
STEP = BUNDLES * WIDTH

Clock = Callable[[], float]


class LookEnded(CommonweightError):
    """A source has had its time in this look."""

    code = "look-ended"


class SourceShare:
    """The rest of one source's share in a look."""

    def __init__(self, read: Read, end: float, clock: Clock) -> None:
        self._read = read
        self._end = end
        self._clock = clock
        self._bundles = BUNDLES
        self._bytes = BYTES

    def read(self, tile: Tile) -> bytes:
        """A tile of the source. Raises LookEnded, and the errors of the source's own `read`."""
        if self._clock() >= self._end:
            raise LookEnded("it has had its time in this look")
        data = self._read(tile)
        if tile.entries:
            self._bundles, self._bytes = self._bundles - 1, self._bytes - len(data)
        return data

    def goes_on(self) -> bool:
        """Whether another bundle may be fetched."""
        return self._bundles > 0 and self._bytes > 0


class Bounds:
    """The bounds of one look."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock, self._end = clock, clock() + LOOK_SECONDS

    def share(self, read: Read) -> SourceShare:
        """The share of the next source."""
        return SourceShare(read, min(self._end, self._clock() + SOURCE_SECONDS), self._clock)
