"""What one other mirror holds, pulled at each look: messages, addresses, and two logs under one signature.

A message that is not welcome yet may be so when this copy has caught up. It waits in memory, a bounded number of each
mirror's, and is tried again; one that no copy could take is passed over, and a mirror that shows many is not asked on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import BadField, BadSignature, CommonweightError, InvalidTree
from contracts.mirrors.peer import Peer, PeerMisbehaved
from contracts.protocol.log.codec import InvalidLeaf, canonical, parse
from contracts.protocol.messages import MirrorAddress
from contracts.tlog.text import parse_base64
from verifier.mirror.addresses import AddressBook
from verifier.mirror.copy import LogCopy
from verifier.mirror.errors import DiskFull
from verifier.mirror.evidence import MOST, Evidence
from verifier.mirror.messages import PAGE, MessageStore
from verifier.mirror.parsing import MAX_MESSAGE, Reader

PAGES = 16
"""Pages of messages of one mirror in a look."""
MAX_PAGE = PAGE * (MAX_MESSAGE + 64) + 256
MAX_MIRRORS = 2**20
"""Bytes of the answer with addresses and evidence."""
MOST_ADDRESSES = 256
WAITING = 256
"""Messages of one mirror that wait in memory."""
MOST_BROKEN = 8
"""Messages that no copy could take, in one look."""

_BROKEN = (InvalidLeaf, BadField, BadSignature, InvalidTree)


@dataclass
class Cursor:
    """How far a mirror was read: its store's name, the last number, and what waits."""

    store: str = ""
    since: int = 0
    waiting: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class PulledPage:
    """A page of messages as texts, by number."""

    store: str
    last: int
    texts: dict[int, str]


class Puller:
    """Pulls from one mirror at a time into this mirror's stores."""

    def __init__(self, reader: Reader, messages: MessageStore, book: AddressBook, copy: LogCopy) -> None:
        self._reader, self._messages, self._book, self._copy = reader, messages, book, copy
        self._cursors: dict[str, Cursor] = {}

    async def messages(self, verifier: str, peer: Peer) -> bool:
        """Pull what a mirror holds; returns whether all of it was seen.

        Raises PeerUnreachable and PeerMisbehaved, and DiskFull where this mirror has no room.
        """
        cursor = self._cursors.setdefault(verifier, Cursor())
        waiting, cursor.waiting = list(cursor.waiting), {}
        await asyncio.to_thread(self._take_all, cursor, waiting)
        for _ in range(PAGES):
            page = _page(await self._get(peer, f"/messages?since={cursor.since}", MAX_PAGE), cursor.since)
            if page.store != cursor.store:
                again = cursor.since > 0
                cursor.store, cursor.since = page.store, 0
                if again:
                    continue
            await asyncio.to_thread(self._take_all, cursor, list(page.texts.values()))
            cursor.since = max(page.texts, default=cursor.since)
            if cursor.since >= page.last or not page.texts:
                return True
        return False

    async def addresses(self, peer: Peer) -> None:
        """Pull addresses and evidence. Raises PeerUnreachable, PeerMisbehaved and DiskFull."""
        body = await self._get(peer, "/mirrors", MAX_MIRRORS)
        if set(body) != {"mirrors", "evidence"} or not all(isinstance(part, list) for part in body.values()):
            raise PeerMisbehaved("its list of mirrors has another form")
        await asyncio.to_thread(self._take_addresses, body["mirrors"][:MOST_ADDRESSES])
        await asyncio.to_thread(self._take_evidence, body["evidence"][:MOST])

    async def _get(self, peer: Peer, path: str, most: int) -> dict[str, Any]:
        data = (await peer.get(path, most)).require()
        try:
            body = parse(data.decode())
        except (UnicodeDecodeError, InvalidLeaf) as error:
            raise PeerMisbehaved(f"answers {path.partition('?')[0]} with no JSON: {error}") from None
        if not isinstance(body, dict):
            raise PeerMisbehaved(f"answers {path.partition('?')[0]} with another form")
        return body

    def _take_all(self, cursor: Cursor, texts: list[str]) -> None:
        broken = 0
        for text in texts:
            try:
                self._messages.take(text.encode())
            except DiskFull:
                raise
            except _BROKEN as error:
                broken += 1
                if broken >= MOST_BROKEN:
                    raise PeerMisbehaved(f"holds messages that nobody can take: {error.detail}") from None
            except CommonweightError:
                self._wait(cursor, text)

    def _wait(self, cursor: Cursor, text: str) -> None:
        if len(cursor.waiting) >= WAITING:
            del cursor.waiting[next(iter(cursor.waiting))]
        cursor.waiting[text] = None

    def _take_addresses(self, shown: list[Any]) -> None:
        """One's own word about oneself; what another says of somebody counts only under that one's signature."""
        for entry in shown:
            body = entry.get("message") if isinstance(entry, Mapping) else None
            if not isinstance(body, Mapping):
                continue
            try:
                signed = self._reader.read(canonical(body).encode())
                if isinstance(signed.message, MirrorAddress):
                    self._book.take(signed)
            except DiskFull:
                raise
            except CommonweightError:
                continue

    def _take_evidence(self, shown: list[Any]) -> None:
        for body in shown:
            try:
                evidence = _evidence(body)
                evidence.check(self._copy.log)
            except CommonweightError:
                continue
            self._copy.evidence.add(evidence)


def _page(body: dict[str, Any], since: int) -> PulledPage:
    """Raises PeerMisbehaved for another form, or numbers that do not rise from `since` to `last`."""
    if set(body) != {"last", "messages", "store"} or not isinstance(body["messages"], list):
        raise PeerMisbehaved("its messages have another form")
    store, last, held = body["store"], body["last"], body["messages"]
    if not isinstance(store, str) or len(store) > 64 or type(last) is not int or len(held) > PAGE:
        raise PeerMisbehaved("its messages have another form")
    texts: dict[int, str] = {}
    before = since
    for entry in held:
        number = entry.get("sequence") if isinstance(entry, dict) and set(entry) == {"body", "sequence"} else None
        if type(number) is not int or not before < number <= last:
            raise PeerMisbehaved("its messages are not in the order of their numbers")
        texts[number] = canonical(entry["body"])
        before = number
    return PulledPage(store, last, texts)


def _evidence(body: Any) -> Evidence:
    """Raises InvalidLeaf for another form."""
    fields = ("smaller", "larger", "prefix", "proof")
    if not isinstance(body, dict) or set(body) != set(fields) or not isinstance(body["proof"], list):
        raise InvalidLeaf("evidence has another form")
    texts = [*(body[name] for name in fields[:3]), *body["proof"][:64]]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidLeaf("evidence has another form")
    prefix, *proof = (parse_base64(text, InvalidLeaf) for text in texts[2:])
    return Evidence(texts[0].encode(), texts[1].encode(), prefix, tuple(proof))
