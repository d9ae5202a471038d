"""Pulls from one other mirror at each look: messages, addresses, and two logs under one signature.

A message that is not welcome yet may be welcome when this copy has caught up. It waits in memory as it was read, a
bounded number of each mirror's, and the machine is asked again; a message that no copy could take is remembered, so
that it is read once. A mirror that shows many of either kind is not asked on in this look.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.errors import BadField, BadSignature, CommonweightError, InvalidTree
from contracts.files.whole_file import DiskFull
from contracts.ids import as_address
from contracts.messages.for_log import MirrorAddress
from contracts.mirrors.book import MAX_MIRRORS, named_verifier
from contracts.mirrors.peer import Peer, PeerMisbehaved
from contracts.mirrors.urls import InvalidMirrorAddress
from contracts.protocol.log.codec import InvalidLeaf, canonical, parse
from contracts.tlog.text import parse_base64
from contracts.wire.fields import Object
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.evidence import MOST, Evidence
from verifier.mirror.store.messages import PAGE, MessageStore
from verifier.mirror.store.parsing import MAX_MESSAGE, Reader, Unchecked

PAGES = 16
"""Pages of messages of one mirror in a look."""
MAX_PAGE = PAGE * (MAX_MESSAGE + 64) + 256
MOST_ADDRESSES = 256
WAITING = 256
"""Messages of one mirror that wait in memory."""
WAITING_BYTES = 2**22
"""Bytes of the waiting messages' texts in all."""
RETRIED = 64
"""Waiting messages about which the machine is asked in one look."""
MOST_UNWELCOME = 256
"""Messages that are not welcome, in one look: the rest is read in the next one."""
MOST_REFUSED = 1024
"""Messages of one mirror that are remembered as refused for good."""
MOST_BROKEN = 8
"""Messages that no copy could take, in one look."""

_BROKEN = (InvalidLeaf, BadField, BadSignature, InvalidTree)


class RefusedTexts:
    """Texts that were refused for good, by their hash; the oldest are forgotten."""

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def __contains__(self, text: str) -> bool:
        return _hash(text) in self._known

    def add(self, text: str) -> None:
        """Remember a text."""
        if len(self._known) >= MOST_REFUSED:
            del self._known[next(iter(self._known))]
        self._known[_hash(text)] = None


@dataclass
class PullCursor:
    """Progress with one mirror: its store's name, the last number, waiting messages, and texts refused for good."""

    store: str = ""
    since: int = 0
    waiting: dict[str, Unchecked | None] = field(default_factory=dict)
    refused: RefusedTexts = field(default_factory=RefusedTexts)


@dataclass
class _Spent:
    """A mirror's spent part of a look."""

    broken: int = 0
    unwelcome: int = 0

    def add_broken(self, why: str) -> None:
        """Raises PeerMisbehaved."""
        self.broken += 1
        if self.broken >= MOST_BROKEN:
            raise PeerMisbehaved(f"holds messages that nobody can take: {why}")


@dataclass(frozen=True)
class PulledPage:
    """A page of messages as texts, by number."""

    store: str
    last: int
    texts: dict[int, str]


class Puller:
    """Pulls from one mirror at a time into this mirror's stores."""

    def __init__(self, reader: Reader, messages: MessageStore, book: AddressBook, copy: LogCopy) -> None:
        self._reader = reader
        self._messages = messages
        self._book = book
        self._copy = copy
        self._cursors: dict[str, PullCursor] = {}
        self._refused = RefusedTexts()

    async def messages(self, verifier: str, peer: Peer) -> bool:
        """Pull the messages of a mirror; returns whether all of them were seen.

        Raises PeerUnreachable and PeerMisbehaved, and DiskFull where this mirror has no room.
        """
        cursor = self._cursors.setdefault(verifier, PullCursor())
        spent = _Spent()
        await asyncio.to_thread(self._retry, cursor, spent)
        for _ in range(PAGES):
            page = _page(await self._get(peer, f"/messages?since={cursor.since}", MAX_PAGE), cursor.since)
            if page.store != cursor.store:
                again = cursor.since > 0
                cursor.store = page.store
                cursor.since = 0
                if again:
                    continue
            await asyncio.to_thread(self._take_page, cursor, page, spent)
            if spent.unwelcome >= MOST_UNWELCOME:
                return False
            if cursor.since >= page.last or not page.texts:
                return True
        return False

    async def addresses(self, peer: Peer) -> None:
        """Pull addresses and evidence. Raises PeerUnreachable, PeerMisbehaved and DiskFull."""
        mirrors, evidence = _mirrors(await self._get(peer, "/mirrors", MAX_MIRRORS))
        await asyncio.to_thread(self._take_addresses, mirrors[:MOST_ADDRESSES])
        await asyncio.to_thread(self._take_evidence, evidence[:MOST])

    async def _get(self, peer: Peer, path: str, most: int) -> Object:
        data = (await peer.get(path, most)).require()
        try:
            body = parse(data.decode())
        except (UnicodeDecodeError, InvalidLeaf) as error:
            raise PeerMisbehaved(f"answers {path.partition('?')[0]} with no JSON: {error}") from None
        if not isinstance(body, dict):
            raise PeerMisbehaved(f"answers {path.partition('?')[0]} with another form")
        return body

    def _retry(self, cursor: PullCursor, spent: _Spent) -> None:
        """Try waiting messages, in turn; a message that a full disk keeps out goes on waiting."""
        for text in list(cursor.waiting)[:RETRIED]:
            message = cursor.waiting[text]
            self._take(cursor, text, spent, message, again=True)

    def _take_page(self, cursor: PullCursor, page: PulledPage, spent: _Spent) -> None:
        for number, text in page.texts.items():
            self._take(cursor, text, spent)
            cursor.since = number
            if spent.unwelcome >= MOST_UNWELCOME:
                return

    def _take(
        self, cursor: PullCursor, text: str, spent: _Spent, message: Unchecked | None = None, again: bool = False
    ) -> None:
        """`message` is the text as it was read before, when it was made to wait (`again`). Raises PeerMisbehaved and
        DiskFull."""
        if text in cursor.refused:
            spent.add_broken("it was shown before")
            return
        try:
            message = message or self._reader.parse(text.encode())
            self._messages.take_unchecked(message)
        except DiskFull:
            raise
        except _BROKEN as error:
            cursor.waiting.pop(text, None)
            cursor.refused.add(text)
            spent.add_broken(error.detail)
        except CommonweightError:
            spent.unwelcome += 1
            self._wait(cursor, text, message)
        else:
            if again:
                cursor.waiting.pop(text, None)

    def _wait(self, cursor: PullCursor, text: str, message: Unchecked | None) -> None:
        """Put a text behind all others that wait. `message` is None for a text about a proof that this copy lacks: such
        a text cannot be read yet."""
        cursor.waiting.pop(text, None)
        cursor.waiting[text] = message
        while len(cursor.waiting) > WAITING or sum(map(len, cursor.waiting)) > WAITING_BYTES:
            del cursor.waiting[next(iter(cursor.waiting))]

    def _take_addresses(self, entries: list[object]) -> None:
        """Take addresses: each counts only under the signature of its verifier, whichever mirror shows it.

        A known address is not read again, and an address of a key that is no verifier here, or not yet, is not read.
        Raises PeerMisbehaved and DiskFull.
        """
        texts = {address.text for address in self._book.newest().values()}
        spent = _Spent()
        bodies = [entry.get("message") if isinstance(entry, Mapping) else None for entry in entries]
        for body in [
            body for body in bodies if isinstance(body, Mapping) and self._book.takes(as_address(named_verifier(body)))
        ]:
            text = canonical(body)
            if text not in texts and text not in self._refused:
                self._take_address(text, spent)

    def _take_address(self, text: str, spent: _Spent) -> None:
        try:
            signed = self._reader.read(text.encode())
            if isinstance(signed.message, MirrorAddress):
                self._book.take(signed)
        except DiskFull:
            raise
        except (*_BROKEN, InvalidMirrorAddress) as error:
            self._refused.add(text)
            spent.add_broken(error.detail)
        except CommonweightError:
            return  # the address is shown again

    def _take_evidence(self, bodies: list[object]) -> None:
        for body in bodies:
            try:
                evidence = _evidence(body)
                evidence.check(self._copy.log)
            except CommonweightError:
                continue
            self._copy.evidence.add(evidence)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _mirrors(body: Object) -> tuple[list[object], list[object]]:
    """Addresses and evidence, each as a mirror shows it. Raises PeerMisbehaved for another form."""
    mirrors = body.get("mirrors")
    evidence = body.get("evidence")
    if set(body) != {"mirrors", "evidence"} or not isinstance(mirrors, list) or not isinstance(evidence, list):
        raise PeerMisbehaved("its list of mirrors has another form")
    return mirrors, evidence


def _page(body: Object, since: int) -> PulledPage:
    """Raises PeerMisbehaved for another form, or numbers that do not rise from `since` to `last`."""
    if set(body) != {"last", "messages", "store"} or not isinstance(body["messages"], list):
        raise PeerMisbehaved("its messages have another form")
    store = body["store"]
    last = body["last"]
    rows = body["messages"]
    if not isinstance(store, str) or len(store) > 64 or type(last) is not int or len(rows) > PAGE:
        raise PeerMisbehaved("its messages have another form")
    texts: dict[int, str] = {}
    before = since
    for entry in rows:
        number = entry.get("sequence") if isinstance(entry, dict) and set(entry) == {"body", "sequence"} else None
        if type(number) is not int or not before < number <= last:
            raise PeerMisbehaved("its messages are not in the order of their numbers")
        texts[number] = canonical(entry["body"])
        before = number
    return PulledPage(store, last, texts)


def _evidence(body: object) -> Evidence:
    """Raises InvalidLeaf for another form."""
    fields = ("smaller", "larger", "prefix", "proof")
    if not isinstance(body, dict) or set(body) != set(fields) or not isinstance(body["proof"], list):
        raise InvalidLeaf("evidence has another form")
    texts = [*(body[name] for name in fields[:3]), *body["proof"][:64]]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidLeaf("evidence has another form")
    prefix, *proof = (parse_base64(text, InvalidLeaf) for text in texts[2:])
    return Evidence(texts[0].encode(), texts[1].encode(), prefix, tuple(proof))
