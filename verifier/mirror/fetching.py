"""Blobs from other mirrors, by digest: whoever sends other bytes has sent nothing, and the next one is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.mirrors.peer import IDLE_SECONDS, Peer, PeerMisbehaved, PeerUnreachable
from verifier.mirror.announced import blob_name
from verifier.mirror.blobs import BlobStore, Receiving
from verifier.mirror.errors import BlobTooLarge, NotAnnounced, WrongBytes

AT_ONCE = 4
"""Blobs that are fetched at one time."""


@dataclass(frozen=True)
class Source:
    """Where blobs can be had: a mirror under its verifier's address, or the server under none."""

    verifier: str
    peer: Peer
    path: str = "/blobs/"


@dataclass(frozen=True)
class FetchResult:
    """Digests that are here now, and who sent other bytes than were asked for."""

    digests: tuple[str, ...]
    liars: frozenset[str]


class Fetcher:
    """Fetches into one store. One source may take `idle` seconds over a blob, and as long as its bytes take at
    `least_rate` bytes a second."""

    def __init__(
        self, blobs: BlobStore, wanted: Callable[[], Sequence[str]], least_rate: int, idle: float = IDLE_SECONDS
    ) -> None:
        self._blobs, self._wanted, self._least_rate, self._idle = blobs, wanted, least_rate, idle
        self._round = 0
        self._failed: Counter[str] = Counter()

    async def fetch(self, sources: Sequence[Source]) -> FetchResult:
        """Ask for all that is wanted and not here, each of one source after the other.

        Another one is first each time, and those that failed are last.
        """
        self._round += 1
        turn = self._round % len(sources) if sources else 0
        order = sorted([*sources[turn:], *sources[:turn]], key=lambda source: self._failed[source.verifier])
        names = [blob_name(text) for text in self._wanted()]
        missing = [name for name in dict.fromkeys(names) if not self._blobs.has(name)]
        gate, liars = asyncio.Semaphore(AT_ONCE), set[str]()
        found = await asyncio.gather(*(self._first(gate, name, order, liars) for name in missing))
        return FetchResult(tuple(name for name, there in zip(missing, found, strict=True) if there), frozenset(liars))

    async def _first(self, gate: asyncio.Semaphore, name: str, order: Sequence[Source], liars: set[str]) -> bool:
        async with gate:
            for source in order:
                try:
                    self._failed[source.verifier] += 1  # until it did not: a look may end in the middle
                    found = await self._from(name, source)
                    self._failed[source.verifier] = 0
                    if found:
                        return True
                except (PeerMisbehaved, WrongBytes, BlobTooLarge):
                    liars.add(source.verifier)
                except PeerUnreachable:
                    continue
                except CommonweightError:  # this mirror takes no more now: the next look asks again
                    return False
            return False

    async def _from(self, name: str, source: Source) -> bool:
        try:
            seconds = self._idle + max(self._blobs.sizes(name)) / self._least_rate
            with self._blobs.receive(name) as receiving:
                return await self._read(name, source, receiving, seconds)
        except NotAnnounced:  # forgotten since it was asked for
            return False

    async def _read(self, name: str, source: Source, receiving: Receiving, seconds: float) -> bool:
        if await source.peer.read(f"{source.path}{name}", receiving.write, seconds) != 200:
            return False
        await asyncio.to_thread(receiving.finish)
        return True
