"""The node's side of the network: server and mirrors, each watched and supplied by tasks of its own.

A slow or silent source holds up no other one, and never the node, which reads the newest note of each at its own time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.mirrors.book import MAX_MIRRORS, Book
from contracts.mirrors.loop import EventThread
from contracts.mirrors.peer import ERROR_BYTES, Limits, Peer, PeerMisbehaved, PeerUnreachable, Reply
from contracts.mirrors.racing import first
from contracts.mirrors.served_model import require_model
from contracts.mirrors.tickets import TO_SERVER, Tickets
from contracts.tlog.mirror import origin_hash
from contracts.tlog.note import MAX_NOTE, parse_note
from contracts.tlog.tile_tree import Read
from contracts.wire.answers import refusal_in
from trainer.exchange.getting import GRACE, Blobs, Tiles
from trainer.exchange.handing import LEAST_RATE, Courier, Parcel, ParcelRefusal

SERVER = ""
"""The server's name among the sources, whose others are verifiers' addresses."""
LIST_EVERY = 16
"""Looks at a source between two at its list of mirrors, and at the server's model."""
LONGEST_WAIT = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Endpoint:
    """One address, and its paths for the log, messages, blobs and the list of mirrors."""

    name: str
    peer: Peer
    log: str
    messages: str
    blobs: str
    mirrors: str
    tickets: Tickets

    async def put(self, digest: str, data: bytes, seconds: float) -> Reply:
        """Bring a blob, under a ticket of its own."""
        ticket = await asyncio.to_thread(self.tickets.headers, digest, self.name or TO_SERVER, self.peer.clock())
        return await self.peer.put(f"{self.blobs}{digest}", data, seconds, ticket)

    async def post(self, data: bytes) -> Reply:
        """Bring a message."""
        return await self.peer.post(self.messages, data, ERROR_BYTES)


@dataclass
class _Watched:
    """A source with its tasks, its courier, and its newest note."""

    source: Endpoint
    courier: Courier
    tasks: list[asyncio.Task[None]]
    tiles: Tiles
    note: bytes | None = None
    failed: int = 0
    """Requests for blobs in a row that failed."""
    trouble: str | None = "it was not asked yet"
    """Why the last look failed; None where it did not."""


class PeerNetwork:
    """Server and mirrors on an event loop in a thread of its own, from `start` to `close`."""

    def __init__(
        self,
        api_url: str,
        origin: str,
        book: Book,
        look_seconds: float,
        tickets: Tickets,
        limits: Limits | None = None,
        deployment: Deployment | None = None,
    ) -> None:
        """The server must be of this `deployment`, where one is given."""
        self._deployment = deployment
        self._origin = origin
        self._book = book
        self._seconds = look_seconds
        self._limits = limits
        self._tickets = tickets
        server = Peer(api_url, book.loopback, limits, chosen=True, keeps=True)
        self._server = Endpoint(SERVER, server, "/log", "/v1/messages", "/v1/blobs/", "/v1/mirrors", tickets)
        self._loop = EventThread("light-network")
        self._watched: dict[str, _Watched] = {}
        self.refusals: deque[ParcelRefusal] = deque(maxlen=1024)

    def start(self) -> None:
        """Begin with the server and the deployment's first mirrors."""
        self.watch(())

    def close(self) -> None:
        """End all tasks."""
        self._watched.clear()
        self._loop.call(self._server.peer.close())
        self._loop.close()

    def watch(self, verifiers: Sequence[str]) -> None:
        """Watch the server, and those mirrors of these verifiers whose address is known."""
        self._loop.call(self._tend(self._book.urls(verifiers)))

    def server_clock(self) -> float | None:
        """The server's clock now (Unix seconds), from its answers; None before the first one."""
        return self._server.peer.clock()

    def names(self) -> list[str]:
        """Server and mirrors that are watched."""
        return list(self._watched)

    def notes(self) -> dict[str, bytes]:
        """The newest head of the log by source."""
        return {name: watched.note for name, watched in list(self._watched.items()) if watched.note is not None}

    def troubles(self) -> dict[str, str | None]:
        """The reason of each source's outage; None without one."""
        return {name: watched.trouble for name, watched in list(self._watched.items())}

    def read(self, name: str) -> Read:
        """Tiles of one source, for LogView.extend; they raise PeerUnreachable and PeerMisbehaved."""
        turn = self._watched[name].tiles.turn()
        return lambda tile: self._loop.call(turn.tile(tile))

    def blob(self, digest: str, most: int) -> bytes | None:
        """A blob of at most `most` bytes, from the server or any mirror; None where no source gives it now."""
        result = self.any_blob((digest,), most)
        return result[1] if result else None

    def any_blob(self, digests: Sequence[str], most: int) -> tuple[str, bytes] | None:
        """As `blob`, under one of several names: the first one that comes."""
        return self._loop.call(self._any_blob(digests, most))

    def offer(self, parcels: Mapping[str, Sequence[Parcel]]) -> None:
        """Offer each source these parcels from now on; sources without any get nothing."""
        self._loop.soon(self._offer, dict(parcels))

    def courier(self, name: str) -> Courier | None:
        """The courier of a source, which knows what was taken."""
        watched = self._watched.get(name)
        return watched.courier if watched else None

    def tell(self, data: bytes) -> None:
        """Send a message to all mirrors at once, without waiting for their answers: for heartbeats."""
        self._loop.soon(self._tell, data)

    def _offer(self, parcels: Mapping[str, Sequence[Parcel]]) -> None:
        for name, watched in self._watched.items():
            watched.courier.offer(parcels.get(name, ()))

    def _tell(self, data: bytes) -> None:
        for watched in self._watched.values():
            if watched.source.name != SERVER:
                task = asyncio.create_task(_quietly(watched.source.post(data)))
                watched.tasks = [*(t for t in watched.tasks if not t.done()), task]

    async def _tend(self, urls: Mapping[str, str]) -> None:
        sources = {SERVER: self._server} | {name: self._mirror(name, url) for name, url in urls.items()}
        for name, watched in list(self._watched.items()):
            if name not in sources or sources[name].peer.url != watched.source.peer.url:
                _cancel(self._watched.pop(name))
        for name, source in sources.items():
            if name not in self._watched:
                self._begin(source)

    def _begin(self, source: Endpoint) -> None:
        courier = Courier(source.name, source.post, source.put, self.refusals.append)
        watched = _Watched(source, courier, [], Tiles(source.peer, source.log))
        self._watched[source.name] = watched
        watched.tasks = [asyncio.create_task(self._poll(watched)), asyncio.create_task(courier.run())]

    async def _any_blob(self, digests: Sequence[str], most: int) -> tuple[str, bytes] | None:
        """Sources that failed lately are asked last."""
        blobs = Blobs(most)
        sources = sorted(self._watched.values(), key=lambda watched: watched.failed)
        pairs = [(watched, digest) for digest in digests for watched in sources]
        await first([blobs.attempt(w, w.source.peer, w.source.blobs, digest) for w, digest in pairs], GRACE, LEAST_RATE)
        return blobs.found

    def _mirror(self, name: str, url: str) -> Endpoint:
        peer = Peer(url, self._book.loopback, self._limits)
        return Endpoint(name, peer, f"/{origin_hash(self._origin)}", "/messages", "/blobs/", "/mirrors", self._tickets)

    async def _poll(self, watched: _Watched) -> None:
        looks = 0
        wait = self._seconds
        while True:
            try:
                await self._look(watched, looks)
                looks = looks + 1
                wait = self._seconds
                watched.trouble = None
            except CommonweightError as error:
                watched.trouble = error.detail
                wait = self._longer(wait)
            except Exception as error:  # for instance a full disk: the next look comes all the same
                if watched.trouble is None:
                    logger.exception("a look at %s failed here", watched.source.peer.url)
                watched.trouble = f"a look at it failed here: {error!r}"
                wait = self._longer(wait)
            await asyncio.sleep(wait)

    def _longer(self, wait: float) -> float:
        return min(max(LONGEST_WAIT, self._seconds), wait * 2)

    async def _look(self, watched: _Watched, looks: int) -> None:
        """Raises PeerUnreachable and PeerMisbehaved, also for an answer that is none of ours."""
        source = watched.source
        if looks % LIST_EVERY == 0 and source is self._server and self._deployment is not None:
            await require_model(source.peer, self._deployment)
        reply = await source.peer.get(f"{source.log}/checkpoint", MAX_NOTE)
        watched.note = _note(reply) or watched.note
        if looks % LIST_EVERY == 0:
            reply = await source.peer.get(source.mirrors, MAX_MIRRORS)
            if reply.status == 200:
                await asyncio.to_thread(self._book.take_answer, reply.body)


def _note(reply: Reply) -> bytes | None:
    """The note with the log's head, None before the first one. Raises PeerMisbehaved for an answer of another kind."""
    if reply.status == 200:
        try:
            parse_note(reply.body)
        except CommonweightError:
            raise PeerMisbehaved(f"answered with {reply.media_type or 'bytes'} instead of a head of the log") from None
        return reply.body
    if refusal_in(reply.status, reply.media_type, reply.body) is None:
        raise PeerUnreachable(f"answered {reply.status} with {reply.media_type or 'no media type'}")
    return None


def _cancel(watched: _Watched) -> None:
    for task in watched.tasks:
        task.cancel()


async def _quietly(work: Coroutine[Any, Any, Reply]) -> None:
    try:
        await work
    except CommonweightError:
        return
