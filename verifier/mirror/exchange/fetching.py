"""Blobs from other mirrors, by digest: other bytes than the digest's count as nothing, and slow sources do not delay.

Each blob is fetched by a task of its own, which goes on from look to look; a source has a few places, so that a slow
source delays only the blobs that come from it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from contracts.ids import Address
from contracts.mirrors.peer import IDLE_SECONDS, Peer, PeerMisbehaved, PeerUnreachable
from contracts.mirrors.racing import Attempt, SourcePace, first
from verifier.mirror.errors import BlobTooLarge, NotAnnounced, WrongBytes
from verifier.mirror.store.announced import blob_name
from verifier.mirror.store.blobs import BlobStore, Receiving

logger = logging.getLogger(__name__)
AT_ONCE = 2
"""Blobs that come from one source at one time."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds until a blob that no source had is asked for again: they double."""
GRACE = 3.0
"""Seconds after which another source is asked beside one that is not done."""


@dataclass(frozen=True)
class BlobSource:
    """A source of blobs: a mirror under its verifier's address, or the server under none."""

    verifier: Address
    peer: Peer
    path: str = "/blobs/"


@dataclass(frozen=True)
class FetchResult:
    """Digests that are here now, and the verifiers that sent other bytes than were asked for; `full` says which blob a
    full disk did not take."""

    digests: tuple[str, ...]
    liars: frozenset[str]
    full: str = ""


class Fetcher:
    """Fetches into one store, on one event loop. One source may take `idle` seconds over a blob, and as long as its
    bytes take at `least_rate` bytes a second."""

    def __init__(
        self,
        blobs: BlobStore,
        wanted: Callable[[], Sequence[str]],
        least_rate: int,
        idle: float = IDLE_SECONDS,
        grace: float = GRACE,
    ) -> None:
        self._blobs = blobs
        self._wanted = wanted
        self._least_rate = least_rate
        self._idle = idle
        self._grace = grace
        self._round = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._begun: list[asyncio.Task[None]] = []
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._failed: Counter[str] = Counter()
        self._vain: dict[str, tuple[int, float]] = {}
        self._came, self._liars, self._full = list[str](), set[str](), ""

    async def begin(self, sources: Sequence[BlobSource]) -> None:
        """Ask for all blobs that are wanted, not here, and not asked for yet.

        Each blob begins with another source; sources that failed are last.
        """
        self._round = self._round + 1
        self._begun = []
        names = dict.fromkeys(blob_name(text) for text in await asyncio.to_thread(self._wanted))
        self._vain = {name: course for name, course in self._vain.items() if name in names}
        missing = [name for name in names if not self._blobs.has(name) and name not in self._tasks and self._due(name)]
        for index, name in enumerate(missing, self._round):
            turn = index % len(sources) if sources else 0
            order = sorted([*sources[turn:], *sources[:turn]], key=lambda source: self._failed[source.verifier])
            task = asyncio.create_task(self._from_any(name, order))
            self._tasks[name] = task
            self._begun.append(task)
            task.add_done_callback(lambda _, name=name: self._tasks.pop(name))  # type: ignore[misc]

    def _due(self, name: str) -> bool:
        return self._vain.get(name, (0, 0.0))[1] <= time.monotonic()

    async def wait(self, seconds: float) -> None:
        """Wait until the last blobs are here or with no source, or the seconds are over: their tasks go on then."""
        if self._begun:
            await asyncio.wait(self._begun, timeout=max(0.0, seconds))

    def result(self) -> FetchResult:
        """Blobs, liars and a full disk since the last call of this."""
        result = FetchResult(tuple(self._came), frozenset(self._liars), self._full)
        self._came, self._liars, self._full = [], set(), ""
        return result

    async def _from_any(self, name: str, order: Sequence[BlobSource]) -> None:
        """Raises nothing: an error of this machine is logged, and the next look asks again."""
        try:
            fetched = await first([self._attempt(name, source) for source in order], self._grace, self._least_rate)
        except Exception:
            logger.exception("the blob %s cannot be taken", name)
            return
        if fetched:
            self._came.append(name)
            return
        tries = self._vain.get(name, (0, 0.0))[0] + 1
        self._vain[name] = tries, time.monotonic() + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries - 1, 10))

    def _attempt(self, name: str, source: BlobSource) -> Attempt:
        async def ask(pace: SourcePace) -> bool:
            async with self._places[source.verifier]:
                pace.start()
                return await self._ask(name, source, pace)

        return ask

    async def _ask(self, name: str, source: BlobSource, pace: SourcePace) -> bool:
        """Raises nothing: whatever a source does, the next one is asked."""
        try:
            self._failed[source.verifier] += 1  # until the attempt succeeded: it may be left in the middle
            fetched = await self._from(name, source, pace)
            self._failed[source.verifier] = 0
            return fetched
        except (PeerMisbehaved, WrongBytes):
            self._liars.add(source.verifier)
        except BlobTooLarge:  # its author may have announced another size elsewhere
            pass
        except PeerUnreachable:
            pass
        except CommonweightError as error:  # this mirror takes no more now: the next look asks again
            self._failed[source.verifier] = max(0, self._failed[source.verifier] - 1)
            self._full = error.detail if isinstance(error, DiskFull) else self._full
        return False

    async def _from(self, name: str, source: BlobSource, pace: SourcePace) -> bool:
        try:
            seconds = self._idle + max(self._blobs.sizes(name)) / self._least_rate
            with self._blobs.receive(name) as receiving:
                return await self._read(name, source, receiving, pace, seconds)
        except NotAnnounced:  # forgotten since it was asked for
            return False

    async def _read(
        self, name: str, source: BlobSource, receiving: Receiving, pace: SourcePace, seconds: float
    ) -> bool:
        def write(chunk: bytes) -> None:
            receiving.write(chunk)
            pace.add(len(chunk))

        if await source.peer.read(f"{source.path}{name}", write, seconds) != 200:
            return False
        pace.whole = True
        await asyncio.to_thread(receiving.finish)
        return True
