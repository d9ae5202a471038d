"""Tiles and blobs of sources that may be slow: no source is waited for while another may have the same bytes."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from blake3 import blake3

from contracts.errors import CommonweightError
from contracts.mirrors.peer import Peer, PeerMisbehaved, PeerUnreachable
from contracts.mirrors.racing import Attempt, SourcePace, first
from contracts.tlog.bundles import MAX_BUNDLE
from contracts.tlog.text import HASH
from contracts.tlog.tiles import WIDTH, Tile
from trainer.exchange.handing import CALL_SECONDS, LEAST_RATE

GRACE = 3.0
"""Seconds after which another source is asked for a blob beside a slow one."""
TILE_GRACE, TURN_SECONDS, REST_SECONDS = 2.0, 6.0, 10.0
"""Seconds for a tile, and for all tiles of one source in a look, beside the time of their bytes at LEAST_RATE; and the
rest of a source that took longer."""


class Counts(Protocol):
    """Failed requests of one source in a row."""

    failed: int


class Blobs:
    """A race for one of several digests, of at most so many bytes: the first right blob stays in `found`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.found: tuple[str, bytes] | None = None

    def attempt(self, counts: Counts, peer: Peer, path: str, digest: str) -> Attempt:
        """Ask one source for one digest."""

        async def ask(pace: SourcePace) -> bool:
            pace.start()
            counts.failed += 1  # until it succeeds: the race may leave it in the middle
            data = await self._read(peer, f"{path}{digest}", pace)
            pace.whole = True
            if data is None or (await asyncio.to_thread(blake3, data)).hexdigest() != digest:
                return False
            counts.failed = 0
            self.found = (digest, data)
            return True

        return ask

    async def _read(self, peer: Peer, path: str, pace: SourcePace) -> bytes | None:
        data = _Bounded(self._most, pace)
        try:
            status = await peer.read(path, data.take, CALL_SECONDS + self._most / LEAST_RATE)
        except CommonweightError:
            return None
        return bytes(data.bytes) if status == 200 else None


class Tiles:
    """Tiles of one source's log, below a path."""

    def __init__(self, peer: Peer, log: str) -> None:
        self.peer = peer
        self.log = log
        self.rests_until = 0.0

    def turn(self) -> Turn:
        """The tiles of one look at it."""
        return Turn(self)


class Turn:
    """One look's tiles, with a time limit for all together."""

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self._waited = 0.0
        self._came = 0

    async def tile(self, tile: Tile) -> bytes:
        """A tile, or the entries under one. Raises PeerUnreachable and PeerMisbehaved."""
        start = time.monotonic()
        if start < self._tiles.rests_until:
            raise PeerUnreachable("was slow, and is not asked for a while")
        if self._waited > TURN_SECONDS + self._came / LEAST_RATE:
            raise self._too_slow()
        data = _Bounded(MAX_BUNDLE if tile.entries else WIDTH * HASH, SourcePace())
        status = await self._read(f"{self._tiles.log}/{tile.path()}", data)
        self._waited += time.monotonic() - start
        self._came += len(data.bytes)
        if status != 200:
            raise PeerUnreachable(f"answered {status}")
        return bytes(data.bytes)

    async def _read(self, path: str, data: _Bounded) -> int:
        answered: list[int] = []
        failed: list[CommonweightError] = []

        async def ask(pace: SourcePace) -> bool:
            data.pace = pace
            pace.start()
            try:
                seconds = CALL_SECONDS + data.most / LEAST_RATE
                answered.append(await self._tiles.peer.read(path, data.take, seconds))
            except CommonweightError as error:
                failed.append(error)
            return not failed

        if not await first([ask], TILE_GRACE, LEAST_RATE) and not failed:
            raise self._too_slow()
        if failed:
            raise failed[0]
        return answered[0]

    def _too_slow(self) -> PeerUnreachable:
        self._tiles.rests_until = time.monotonic() + REST_SECONDS
        return PeerUnreachable("took longer for its tiles than they may take")


class _Bounded:
    """Takes bytes up to a bound. Raises PeerMisbehaved for more."""

    def __init__(self, most: int, pace: SourcePace) -> None:
        self.most, self.pace, self.bytes = most, pace, bytearray()

    def take(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self.bytes += chunk
        self.pace.add(len(chunk))
        if len(self.bytes) > self.most:
            raise PeerMisbehaved(f"sent more than {self.most} bytes")
