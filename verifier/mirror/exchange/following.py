"""The log from another mirror, or from the server: its tiles are checked under the operator's head, then uploaded here.

Fetched entries are proven as strangers' uploads are (verifier/mirror/http/uploads.py). A larger head whose tiles show
that it does not continue this copy is the operator's second log, and is kept as evidence. Several mirrors are followed
at once: the network is waited for outside of the copy's turn, and fetched entries are applied within one
(verifier/mirror/exchange/planning.py).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass

from contracts.errors import CommonweightError, InvalidTree
from contracts.mirrors.peer import Peer, PeerMisbehaved, Reply
from contracts.tlog.bundles import MAX_BUNDLE
from contracts.tlog.mirror import origin_hash
from contracts.tlog.note import MAX_NOTE, SignedNote, parse_note
from contracts.tlog.text import HASH
from contracts.tlog.tile_tree import TileReader
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile
from contracts.tlog.witness import InvalidMirrorMessage
from verifier.mirror.errors import CopyChanged, HeadContradicts, NotHeld
from verifier.mirror.exchange.planning import Allowance, Fetch, FetchPlan, Shown, apply, plan
from verifier.mirror.store.copy import LogCopy, SignedHead
from verifier.mirror.store.departures import EntryRefused

TRIES = 4
"""Most times that a plan is made anew because another mirror's entries came first, or some were given up."""


@dataclass(frozen=True)
class ShownHead:
    """A mirror's view of the log: entries and root, and whether this copy came up to it."""

    size: int
    root: bytes
    caught_up: bool


async def follow(peer: Peer, copy: LogCopy, prefix: str | None = None) -> ShownHead | None:
    """Take over a mirror's entries of the log, as many as an Allowance has; None where it has signed no head yet.

    `prefix` is the path below which the log stands; None is a mirror's path.

    Raises PeerUnreachable, PeerMisbehaved, HeadContradicts, EntryRefused, and what the owner's machine says of the log.
    """
    prefix = f"/{origin_hash(copy.log.name)}" if prefix is None else prefix
    reply = await peer.get(f"{prefix}/checkpoint", MAX_NOTE)
    if reply.status == NotHeld.status:
        return None
    note, head = _verified(copy, reply.require())
    size = head.checkpoint.size
    if not _is_here(copy, head, note):
        await _in_thread(peer, copy, head, note, prefix)
    return ShownHead(size, head.checkpoint.root, copy.signed >= size)


def _verified(copy: LogCopy, data: bytes) -> tuple[SignedNote, SignedHead]:
    try:
        note = parse_note(data)
        return note, copy.verified(note)
    except CommonweightError as error:
        raise PeerMisbehaved(f"shows no head of this log: {error.detail}") from None


def _is_here(copy: LogCopy, head: SignedHead, note: SignedNote) -> bool:
    """Whether a head lies under the own head. Raises EntryRefused for a refused head; and HeadContradicts for one of
    another branch, unless others have signed it: then its tiles show which verifiers' heads lie there."""
    copy.evidence.departures.check_head(head.checkpoint)
    if head.checkpoint.size > copy.signed:
        return False
    try:
        copy.check_head(head)
    except HeadContradicts:
        if not _signers(copy, note):
            raise
        return False
    if copy.branches.watched:
        copy.branches.here(_signers(copy, note))
    return True


def _signers(copy: LogCopy, note: SignedNote) -> frozenset[str]:
    return copy.branches.signers(note, copy.judges())


async def _in_thread(peer: Peer, copy: LogCopy, head: SignedHead, note: SignedNote, prefix: str) -> None:
    """A TileReader asks for one tile after the other and waits: it runs in a thread, and tiles come from this loop."""
    loop = asyncio.get_running_loop()
    asked = _Asked()

    def fetch(tile: Tile) -> bytes:
        most = MAX_BUNDLE if tile.entries else WIDTH * HASH
        return asked.wait(asyncio.run_coroutine_threadsafe(peer.get(f"{prefix}/{tile.path()}", most), loop)).require()

    try:
        await asyncio.to_thread(_pull, fetch, copy, head, note)
    finally:
        asked.end()


class _Asked:
    """The reply that the thread waits for: the thread waits no longer when the look ends first."""

    def __init__(self) -> None:
        self._ended = False
        self._waits_for: Future[Reply] | None = None

    def wait(self, reply: Future[Reply]) -> Reply:
        self._waits_for = reply
        if self._ended:
            reply.cancel()
        return reply.result()

    def end(self) -> None:
        self._ended = True
        if self._waits_for is not None:
            self._waits_for.cancel()


def _pull(fetch: Fetch, copy: LogCopy, head: SignedHead, note: SignedNote) -> None:
    """Raises PeerMisbehaved for tiles that do not lie under the head, and what `follow` raises."""
    signers = _signers(copy, note)
    try:
        reader = TileReader(fetch, head.checkpoint.size, head.checkpoint.root)
        followed = _follow(Shown(head, signers, reader, fetch), copy)
    except (InvalidTile, InvalidTree, InvalidMirrorMessage) as error:
        raise PeerMisbehaved(f"shows tiles that are not the log's: {error.detail}") from None
    if not followed:
        return
    copy.branches.here(signers)
    if copy.signed < head.checkpoint.size <= copy.size:
        copy.sign(head)


def _follow(shown: Shown, copy: LogCopy) -> bool:
    """Keep the next entries and show them to the machine, again and again; whether the head continues this copy."""
    allowed = Allowance()
    tries = TRIES
    followed = False
    while tries:
        fetch_plan = _planned(shown, copy, allowed)
        if fetch_plan is None or not apply(fetch_plan, shown, copy):
            tries -= 1
            continue
        followed = True
        if fetch_plan.packages or fetch_plan.retreats:
            copy.advance()
        if not fetch_plan.packages or allowed.spent:
            break
    return followed


def _planned(shown: Shown, copy: LogCopy, allowed: Allowance) -> FetchPlan | None:
    """None where this copy went back meanwhile, or entries that were here already were refused, and given up: others
    may follow now."""
    size = copy.size
    try:
        return plan(shown, copy, allowed)
    except CopyChanged:
        return None
    except EntryRefused:
        if copy.size >= size:
            raise
        return None
