"""A verifier's look at all others: their messages and blobs come here. Its own go out beside the look (delivering.py).

Each mirror is asked apart from the others and may fail as it likes, or take its time: a look waits for the mirrors that
answer within it, and for a mirror that was late before only while too few have answered. Each answer is returned, since
a look counts towards a time-out only when enough mirrors answered (J3).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import as_address
from contracts.mirrors.loop import EventThread
from contracts.mirrors.peer import Limits, Peer, PeerMisbehaved, PeerUnreachable
from contracts.mirrors.served_model import require_model
from contracts.mirrors.tickets import TO_SERVER, Tickets
from contracts.mirrors.urls import NOWHERE
from verifier.mirror.errors import HeadContradicts
from verifier.mirror.exchange.calls import Calls
from verifier.mirror.exchange.carrying import carry
from verifier.mirror.exchange.delivering import SERVER, Deliveries, DeliveryTarget
from verifier.mirror.exchange.fetching import BlobSource, Fetcher
from verifier.mirror.exchange.following import ShownHead, follow
from verifier.mirror.exchange.pulling import Puller
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.messages import MessageStore

CALL_SECONDS = 60.0
"""Seconds after which a call is ended, whatever came."""
HEAD_START = 0.25
"""Part of a look in which the server may bring the log, so that the log is not fetched of all mirrors at once."""
INTRODUCED_EVERY = 20
"""Looks between two questions to the server for addresses of mirrors; while none is known, each look asks."""
ADDRESSES, BYTES = "addresses", "bytes"
"""Calls beside those to mirrors, which are named by their verifiers."""

Ask: TypeAlias = Callable[[], Coroutine[Any, Any, tuple[bool, ShownHead | None]]]
"""Asks a mirror or the server: returns whether all was seen, and the head that it shows."""

logger = logging.getLogger(__name__)


class MirrorAnswer(StrEnum):
    """A mirror's outcome of a look."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    """The mirror answered, and not all that it holds was seen, or could be kept here."""
    UNREACHABLE = "unreachable"
    MISBEHAVED = "misbehaved"
    CONTRADICTS = "contradicts"
    """The mirror shows a head under the operator's signature that is of another log than the own one."""


@dataclass(frozen=True)
class Answer:
    """The answer of one mirror (or the server, whose verifier is empty), and the entries that its head has."""

    verifier: str
    url: str
    outcome: MirrorAnswer
    detail: str = ""
    size: int | None = None

    def unless_liar(self, liars: Collection[str]) -> Answer:
        """The answer; MISBEHAVED for a mirror that sent other bytes than were asked for, whatever else it said."""
        if self.verifier not in liars or self.outcome is MirrorAnswer.CONTRADICTS:
            return self
        return Answer(
            self.verifier, self.url, MirrorAnswer.MISBEHAVED, "sent other bytes than were asked for", self.size
        )


@dataclass(frozen=True)
class Look:
    """One look: the log's own answer, that of each other mirror, and the blobs that came since the look before; `full`
    says which one this machine's full disk did not take."""

    log: Answer
    mirrors: tuple[Answer, ...]
    fetched: tuple[str, ...] = ()
    full: str = ""

    def counts(
        self,
        verifiers: Collection[str],
        k: int,
        chain: bool,
        holds: int = 0,
        admitted: Collection[str] | None = None,
    ) -> bool:
        """Whether the look counts towards a time-out of a round with these verifiers: log, chain and n - k others
        answered, and no mirror showed a head that contradicts the own one (J3). `chain` says whether the own chain
        node answered.

        The others' heads have at least `holds` entries: up to and with the entry since which a message is awaited. A
        mirror that never saw that entry says nothing of messages that did not come after it.

        Only verifiers that are still `admitted` are asked (None: all), and n is their number. No verifier asks one that
        the holders removed, so waiting for it would stop the round's time for ever. The rule still holds: n - k others
        and this verifier itself meet every k of those that are left. Messages that only removed verifiers hold may be
        missed, as they cannot be asked.
        """
        against = any(answer.outcome is MirrorAnswer.CONTRADICTS for answer in self.mirrors)
        if against or not chain or self.log.outcome is not MirrorAnswer.ANSWERED:
            return False
        able = [a for a in self.mirrors if a.outcome is MirrorAnswer.ANSWERED and (a.size or 0) >= holds]
        return _are_enough(able, verifiers, k, admitted)

    def reached(self, verifiers: Collection[str], k: int, admitted: Collection[str] | None = None) -> bool:
        """Whether n - k others of these verifiers could be asked for bytes, whatever the server said, and whatever
        heads were shown; where none of them is needed, whether any mirror or the server could be.

        The own deadline for bytes runs on such looks. If they had to count, an operator that answers one verifier with
        an error, or a corrupt verifier that shows it a contradicting head, would keep it silent, and have it accused.
        """
        able = [a for a in self.mirrors if a.outcome in _ABLE]
        return bool(able or self.log.outcome in _ABLE) and _are_enough(able, verifiers, k, admitted)


_ABLE = frozenset({MirrorAnswer.ANSWERED, MirrorAnswer.PARTIAL, MirrorAnswer.CONTRADICTS})
"""Outcomes of mirrors that could be asked for bytes."""


def _are_enough(able: Sequence[Answer], verifiers: Collection[str], k: int, admitted: Collection[str] | None) -> bool:
    """Whether n - k others are among them, of those that are still admitted. Where the round needs others at all, at
    least one is needed while any is left: no operator goes on before one verifier alone because others were removed."""
    names = {verifier.lower() for verifier in verifiers}
    remaining = names if admitted is None else names & {name.lower() for name in admitted}
    needed = max(len(remaining) - k, min(1, len(names) - k, len(remaining) - 1))
    return len({answer.verifier.lower() for answer in able} & remaining) >= needed


@dataclass(frozen=True)
class ServerDoor:
    """The server: the paths of its log (tlog-tiles), of messages and of blobs; `api` lists mirrors. With a `model` the
    server is asked whether it is of this model."""

    peer: Peer
    log: str
    messages: str
    blobs: str
    api: Peer | None = None
    model: Deployment | None = None

    async def close(self) -> None:
        """Let kept connections go."""
        for peer in (self.peer, self.api):
            if peer is not None:
                await peer.close()


class HandingOn:
    """One verifier's looks, one at a time, and its deliveries beside them. `own` is its address, `seconds` the length
    of the longest look."""

    def __init__(
        self,
        own: str,
        server: ServerDoor,
        book: AddressBook,
        copy: LogCopy,
        messages: MessageStore,
        puller: Puller,
        fetcher: Fetcher,
        blobs: BlobStore,
        tickets: Tickets,
        seconds: float = 3.0,
        limits: Limits | None = None,
    ) -> None:
        self._own = own
        self._server = server
        self._book = book
        self._copy = copy
        self._puller, self._fetcher, self._seconds, self._limits = puller, fetcher, seconds, limits or Limits()
        self._loop = EventThread("mirror-looks")
        self._calls = Calls[Answer]()
        self._against: dict[str, Answer] = {}
        self._number = 0
        self._closed = False
        self._is_server_known = False
        self._tickets = tickets
        target = DeliveryTarget(server.peer, TO_SERVER, tickets, server.messages, server.blobs)
        self._deliveries = Deliveries(own, self._loop, target, book, messages, blobs)

    def look(self) -> Look:
        """Pull, fetch, and hand on. Raises nothing: each failure, of a mirror or of this one's disk, is an answer."""
        look = self._loop.call(self._look())
        self._deliveries.offer()
        return look

    def hand(self) -> None:
        """Hand new messages on to others, beside the looks."""
        self._deliveries.offer()

    def give_blob(self, name: str) -> None:
        """Bring a blob that a message announced to every mirror, where this one cannot be reached."""
        self._deliveries.give_blob(name)

    def close(self) -> None:
        """End calls that are under way."""
        if not self._closed:
            self._closed = True
            self._loop.call(self._server.close())
            self._loop.close()

    async def _look(self) -> Look:
        self._number += 1
        self._calls.next_look()
        ends = _clock() + self._seconds
        peers = await asyncio.to_thread(self._peers)
        await self._deliveries.tend(peers)
        await self._ask_all(peers, ends)
        self._begin(BYTES, self._server.peer, partial(self._fetch, peers))
        await self._calls.wait([BYTES], ends - _clock())
        await self._fetcher.wait(ends - _clock())
        fetched = self._fetcher.result()
        answers = [self._answer(verifier, peer).unless_liar(fetched.liars) for verifier, peer in peers.items()]
        return Look(self._answer(SERVER, self._server.peer), tuple(answers), fetched.digests, fetched.full)

    async def _ask_all(self, peers: Mapping[str, Peer], ends: float) -> None:
        """Wait for the mirrors that are asked now; for those that were late before only while too few answered."""
        names = [SERVER] if self._begin(SERVER, self._server.peer, self._ask_server) else []
        if not peers or self._number % INTRODUCED_EVERY == 1:
            names += [ADDRESSES] if self._begin(ADDRESSES, self._server.peer, self._ask_addresses) else []
        await self._calls.wait(names, self._seconds * HEAD_START)
        names += [v for v, peer in peers.items() if self._begin(v, peer, partial(self._ask, v, peer))]
        await self._calls.wait(names, ends - _clock())
        while (late := self._late(peers)) and _clock() < ends:
            await self._calls.wait(late, ends - _clock(), for_one=True)

    def _late(self, peers: Mapping[str, Peer]) -> list[str]:
        """The mirrors that are still waited for: those without an answer, while the log or half of them have none."""
        answered = [verifier for verifier in peers if self._calls.fresh(verifier) is not None]
        if self._calls.fresh(SERVER) is not None and 2 * len(answered) >= len(peers):
            return []
        return [name for name in (SERVER, *peers) if self._calls.is_under_way(name)]

    def _begin(self, name: str, peer: Peer, ask: Ask) -> bool:
        return self._calls.begin(name, partial(self._answered, name, peer, ask))

    def _answer(self, verifier: str, peer: Peer) -> Answer:
        """A mirror's answer. A mirror that contradicted goes on doing so until its next call ends otherwise."""
        late = self._calls.late(verifier)
        if late is not None:
            self._against.pop(verifier, None)
            if late.outcome is MirrorAnswer.CONTRADICTS:
                self._against[verifier] = late
        if verifier in self._against:
            return self._against[verifier]
        slow = Answer(verifier, peer.url, MirrorAnswer.UNREACHABLE, "does not answer in time")
        return self._calls.fresh(verifier) or slow

    def _peers(self) -> dict[str, Peer]:
        reachable = self._book.reachable(but=self._own)
        return {v: Peer(url, self._book.loopback, self._limits) for v, url in reachable.items()}

    async def _ask(self, verifier: str, peer: Peer) -> tuple[bool, ShownHead | None]:
        """The log first: a message's welcome depends on it. Messages are taken of any mirror, whatever its log is."""
        head = None
        failure = None
        try:
            head = await follow(peer, self._copy)
        except PeerUnreachable:
            raise
        except CommonweightError as error:
            failure = error
        complete = await self._puller.messages(verifier, peer)
        await self._puller.addresses(peer)
        if failure is None and not self._is_reachable():
            await self._carry(verifier, peer, head.size if head else 0)
        if failure is not None:
            raise failure
        return complete and (head is None or head.caught_up), head

    def _is_reachable(self) -> bool:
        """Whether others can pull from here, by this verifier's own address."""
        own = self._book.newest().get(self._own)
        return own is not None and own.url != NOWHERE

    async def _carry(self, verifier: str, peer: Peer, peer_size: int) -> None:
        """Carry the log to a mirror; a refusal says nothing against the head that it showed."""
        try:
            await carry(peer, self._copy, peer_size, lambda name: self._tickets.headers(name, verifier, peer.clock()))
        except CommonweightError as error:
            logger.info("the log cannot be carried to %s: %s", peer.url, error.detail)

    async def _ask_server(self) -> tuple[bool, ShownHead | None]:
        if self._server.model is not None and not self._is_server_known:
            await require_model(self._server.peer, self._server.model)
        self._is_server_known = False
        head = await follow(self._server.peer, self._copy, self._server.log)
        self._is_server_known = True  # until a call to it fails
        return head is None or head.caught_up, head

    async def _ask_addresses(self) -> tuple[bool, ShownHead | None]:
        """Addresses of mirrors, each under its verifier's signature."""
        if self._server.api is not None:
            await self._puller.addresses(self._server.api)
        return True, None

    async def _fetch(self, peers: Mapping[str, Peer]) -> tuple[bool, ShownHead | None]:
        server = BlobSource(as_address(SERVER), self._server.peer, self._server.blobs)
        await self._fetcher.begin(
            [*(BlobSource(as_address(verifier), peer) for verifier, peer in peers.items()), server]
        )
        return True, None

    async def _answered(self, verifier: str, peer: Peer, ask: Ask) -> Answer:
        """The answer of one mirror, whatever it does."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                complete, head = await ask()
        except TimeoutError:
            return Answer(verifier, peer.url, MirrorAnswer.UNREACHABLE, f"did not end within {CALL_SECONDS:g} seconds")
        except HeadContradicts as error:
            return Answer(verifier, peer.url, MirrorAnswer.CONTRADICTS, error.detail)
        except PeerMisbehaved as error:
            return Answer(verifier, peer.url, MirrorAnswer.MISBEHAVED, error.detail)
        except PeerUnreachable as error:
            return Answer(verifier, peer.url, MirrorAnswer.UNREACHABLE, error.detail)
        except CommonweightError as error:
            return Answer(verifier, peer.url, MirrorAnswer.PARTIAL, f"{error.code}: {error.detail}")
        except Exception:  # one mirror must not end the look at the others, whatever it found
            logger.exception("a look at %s failed", peer.url)
            return Answer(verifier, peer.url, MirrorAnswer.PARTIAL, "the look at it failed here")
        outcome = MirrorAnswer.ANSWERED if complete else MirrorAnswer.PARTIAL
        return Answer(verifier, peer.url, outcome, "", head.size if head else None)


def _clock() -> float:
    return asyncio.get_running_loop().time()
