"""A verifier's look at all others: what they hold comes here, and what the log lacks goes to the server.

Each mirror is asked apart from the others and may fail as it likes. What each one answered is returned, since a look
counts towards a time-out only when enough of them did (J3).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.errors import CommonweightError
from contracts.mirrors.peer import ERROR_BYTES, Limits, Peer, PeerMisbehaved, PeerUnreachable
from contracts.protocol.log.envelope import BESIDE_THE_LOG
from verifier.mirror.addresses import AddressBook
from verifier.mirror.copy import LogCopy
from verifier.mirror.departures import EntryRefused
from verifier.mirror.errors import HeadContradicts
from verifier.mirror.fetching import Fetcher, FetchResult, Source
from verifier.mirror.following import ShownHead, follow
from verifier.mirror.messages import MessageStore
from verifier.mirror.parsing import Signed
from verifier.mirror.pulling import Puller

HANDED = 256
"""Messages that go to the server in one look."""
AGAIN = 8
"""Looks after which a message that the log still lacks is sent to the server again."""
HEAD_START = 2.0
"""Seconds for the server to bring the log, so that it is not fetched of all mirrors at once."""
THREADS = 32

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What a mirror did at a look."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    """It answered, and not all that it holds was seen, or could be kept here."""
    UNREACHABLE = "unreachable"
    MISBEHAVED = "misbehaved"
    CONTRADICTS = "contradicts"
    """It shows a head under the operator's signature that is of another log than one's own."""


@dataclass(frozen=True)
class Answer:
    """What one mirror (or the server, whose verifier is empty) answered, and the entries that its head has."""

    verifier: str
    url: str
    outcome: Outcome
    detail: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Look:
    """One look: the log's own answer, that of each other mirror, what was fetched, and what the server took."""

    log: Answer
    mirrors: tuple[Answer, ...]
    fetched: tuple[str, ...] = ()
    handed: int = 0

    def counts(self, verifiers: Collection[str], k: int, chain: bool) -> bool:
        """Whether it counts towards a time-out of a round with these verifiers: log, chain and n - k others answered,
        and nobody showed a head that contradicts one's own (J3). `chain` says whether one's chain node answered."""
        if not chain or self.log.outcome is not Outcome.ANSWERED:
            return False
        if any(answer.outcome is Outcome.CONTRADICTS for answer in self.mirrors):
            return False
        names = {verifier.lower() for verifier in verifiers}
        answered = {answer.verifier.lower() for answer in self.mirrors if answer.outcome is Outcome.ANSWERED}
        return len(answered & names) >= len(names) - k


@dataclass(frozen=True)
class ServerDoor:
    """The server: where its log stands (tlog-tiles), where it takes messages, and where it has blobs."""

    peer: Peer
    log: str
    messages: str
    blobs: str


class HandingOn:
    """One verifier's looks, one at a time. `own` is its address, `seconds` the longest that either half of
    a look takes: asking, then fetching and handing on."""

    def __init__(
        self,
        own: str,
        server: ServerDoor,
        book: AddressBook,
        copy: LogCopy,
        messages: MessageStore,
        puller: Puller,
        fetcher: Fetcher,
        seconds: float = 60.0,
        limits: Limits | None = None,
    ) -> None:
        self._own, self._server, self._book, self._copy, self._messages = own, server, book, copy, messages
        self._puller, self._fetcher, self._seconds, self._limits = puller, fetcher, seconds, limits or Limits()
        self._sent: dict[str, int] = {}
        self._number, self._closed = 0, False
        self._runner = asyncio.Runner()
        self._runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS, "mirror-look"))

    def look(self) -> Look:
        """Pull, fetch, and hand on. Raises nothing: whatever a mirror does, or this one cannot keep, is an answer."""
        return self._runner.run(self._look())

    def give(self, data: bytes) -> Mapping[str, bool]:
        """Put a message to every mirror that can be reached: for a verifier that itself cannot be (by verifier)."""
        return self._runner.run(self._give("POST", "/messages", data))

    def give_blob(self, digest: str, data: bytes) -> Mapping[str, bool]:
        """Put a blob that a message announced to every mirror that can be reached."""
        return self._runner.run(self._give("PUT", f"/blobs/{digest}", data))

    def close(self) -> None:
        """End what is still under way."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._server.peer.close())
            self._runner.close()

    async def _look(self) -> Look:
        self._number += 1
        peers = self._peers()
        server = asyncio.create_task(self._answered("", self._server.peer, self._ask_server()))
        await asyncio.wait([server], timeout=HEAD_START)
        asked = (self._answered(verifier, peer, self._ask(verifier, peer)) for verifier, peer in peers.items())
        mirrors = await asyncio.gather(*asked)
        fetched, handed = await asyncio.gather(self._fetch(peers), self._hand())
        known = [_unless_liar(answer, fetched.liars) for answer in mirrors]
        return Look(await server, tuple(known), fetched.digests, handed)

    def _peers(self) -> dict[str, Peer]:
        reachable = self._book.reachable(but=self._own)
        return {v: Peer(url, self._book.loopback, self._limits) for v, url in reachable.items()}

    async def _ask(self, verifier: str, peer: Peer) -> tuple[bool, ShownHead | None]:
        """The log first: what is welcome depends on it. Messages are taken of whoever has them, whatever its log is."""
        shown, failure = None, None
        try:
            shown = await follow(peer, self._copy)
        except (HeadContradicts, EntryRefused, PeerMisbehaved) as error:
            failure = error
        complete = await self._puller.messages(verifier, peer)
        await self._puller.addresses(peer)
        if failure is not None:
            raise failure
        return complete and (shown is None or shown.caught_up), shown

    async def _ask_server(self) -> tuple[bool, ShownHead | None]:
        shown = await follow(self._server.peer, self._copy, self._server.log)
        return shown is None or shown.caught_up, shown

    async def _answered(
        self, verifier: str, peer: Peer, asked: Coroutine[Any, Any, tuple[bool, ShownHead | None]]
    ) -> Answer:
        """Whatever one does is its own answer."""
        try:
            async with asyncio.timeout(self._seconds):
                complete, shown = await asked
        except TimeoutError:
            return Answer(verifier, peer.url, Outcome.UNREACHABLE, f"did not end within {self._seconds:g} seconds")
        except HeadContradicts as error:
            return Answer(verifier, peer.url, Outcome.CONTRADICTS, error.detail)
        except PeerMisbehaved as error:
            return Answer(verifier, peer.url, Outcome.MISBEHAVED, error.detail)
        except PeerUnreachable as error:
            return Answer(verifier, peer.url, Outcome.UNREACHABLE, error.detail)
        except CommonweightError as error:
            return Answer(verifier, peer.url, Outcome.PARTIAL, f"{error.code}: {error.detail}")
        except Exception:  # one mirror must not end the look at the others, whatever it found
            logger.exception("a look at %s failed", peer.url)
            return Answer(verifier, peer.url, Outcome.PARTIAL, "the look at it failed here")
        outcome = Outcome.ANSWERED if complete else Outcome.PARTIAL
        return Answer(verifier, peer.url, outcome, "", shown.size if shown else None)

    async def _fetch(self, peers: Mapping[str, Peer]) -> FetchResult:
        server = Source("", self._server.peer, self._server.blobs)
        sources = [*(Source(verifier, peer) for verifier, peer in peers.items()), server]
        try:
            async with asyncio.timeout(self._seconds):
                return await self._fetcher.fetch(sources)
        except TimeoutError:
            return FetchResult((), frozenset())

    async def _hand(self) -> int:
        """Messages that the log lacks, the oldest first; returns how many the server took."""
        taken = 0
        try:
            async with asyncio.timeout(self._seconds):
                for signed in self._due():
                    taken += await self._hand_one(signed)
        except (TimeoutError, CommonweightError):
            return taken
        return taken

    def _due(self) -> Sequence[Signed]:
        kinds = tuple(BESIDE_THE_LOG.values())
        held = [held.signed for held in self._messages.held() if not isinstance(held.signed.message, kinds)]
        names = {signed.digest for signed in held}
        self._sent = {digest: number for digest, number in self._sent.items() if digest in names}
        return [s for s in held if self._number - self._sent.get(s.digest, -AGAIN) >= AGAIN][:HANDED]

    async def _hand_one(self, signed: Signed) -> bool:
        """A refusal is final for a while: others wait behind it. Raises PeerUnreachable and PeerMisbehaved."""
        reply = await self._server.peer.post(self._server.messages, signed.text.encode(), ERROR_BYTES)
        self._sent[signed.digest] = self._number
        return reply.status < 300

    async def _give(self, method: str, path: str, data: bytes) -> Mapping[str, bool]:
        peers = self._peers()
        found = await asyncio.gather(*(self._give_one(peer, method, path, data) for peer in peers.values()))
        return dict(zip(peers, found, strict=True))

    async def _give_one(self, peer: Peer, method: str, path: str, data: bytes) -> bool:
        try:
            if method == "PUT":
                return (await peer.put(path, data, self._seconds)).status < 300
            return (await peer.post(path, data, ERROR_BYTES)).status < 300
        except CommonweightError:
            return False


def _unless_liar(answer: Answer, liars: Collection[str]) -> Answer:
    """Who sent other bytes than were asked for has not answered, whatever else it said."""
    if answer.verifier not in liars or answer.outcome is Outcome.CONTRADICTS:
        return answer
    return Answer(answer.verifier, answer.url, Outcome.MISBEHAVED, "sent other bytes than were asked for", answer.size)
