"""The log from another mirror, or from the server: its tiles are checked under the operator's head, then uploaded here.

What is fetched is proven as what strangers bring is (verifier/mirror/uploads.py). A larger head whose tiles show that
it does not follow on what is here is the operator's second log, and is kept as evidence. Several mirrors are followed
at once: the network is waited for outside of the copy's turn, and what was fetched is applied within one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from contracts.errors import CommonweightError, InvalidTree
from contracts.mirrors.peer import Peer, PeerMisbehaved, Reply
from contracts.tlog.bundles import MAX_ENTRY, parse_bundle
from contracts.tlog.mirror import EntryPackage, Package, UploadHeader, origin_hash
from contracts.tlog.note import MAX_NOTE, parse_note
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.text import HASH
from contracts.tlog.tile_tree import TileReader
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile, tile_of
from contracts.tlog.witness import InvalidMirrorMessage
from verifier.mirror.copy import Head, LogCopy, State
from verifier.mirror.errors import HeadContradicts, NotHeld
from verifier.mirror.evidence import Evidence

BUNDLES = 32
"""Entry bundles that are fetched of one mirror in a look, of 256 entries each."""
MAX_FETCHED = 2**26
"""Bytes of entries of one mirror in a look."""
TRIES = 4
"""How often a plan is made anew because another mirror's entries came first."""
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)

Fetch = Callable[[Tile], bytes]


@dataclass(frozen=True)
class ShownHead:
    """What a mirror shows of the log: entries and root, and whether this copy came up to it."""

    size: int
    root: bytes
    caught_up: bool


async def follow(peer: Peer, copy: LogCopy, prefix: str | None = None) -> ShownHead | None:
    """Take over what a mirror shows of the log, at most BUNDLES bundles of it; None where it has signed no head yet.

    `prefix` is the path below which the log stands, without: where a mirror serves it.

    Raises PeerUnreachable, PeerMisbehaved, HeadContradicts, and what the owner's machine says against the log.
    """
    prefix = f"/{origin_hash(copy.log.name)}" if prefix is None else prefix
    reply = await peer.get(f"{prefix}/checkpoint", MAX_NOTE)
    if reply.status == NotHeld.status:
        return None
    head = _verified(copy, reply.require())
    size = head.checkpoint.size
    if size <= copy.signed:
        copy.check_head(head)
    else:
        await _in_thread(peer, copy, head, prefix)
    return ShownHead(size, head.checkpoint.root, copy.signed >= size)


def _verified(copy: LogCopy, note: bytes) -> Head:
    try:
        return copy.verified(parse_note(note))
    except CommonweightError as error:
        raise PeerMisbehaved(f"shows no head of this log: {error.detail}") from None


async def _in_thread(peer: Peer, copy: LogCopy, head: Head, prefix: str) -> None:
    """A TileReader asks for one tile after the other and waits: it has a thread, and the tiles come from this loop."""
    loop, asked = asyncio.get_running_loop(), _Asked()

    def fetch(tile: Tile) -> bytes:
        most = MAX_BUNDLE if tile.entries else WIDTH * HASH
        return asked.wait(asyncio.run_coroutine_threadsafe(peer.get(f"{prefix}/{tile.path()}", most), loop)).require()

    try:
        await asyncio.to_thread(_pull, fetch, copy, head)
    finally:
        asked.end()


class _Asked:
    """What the thread waits for: when the look ends first, it waits no longer."""

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


@dataclass(frozen=True)
class _Plan:
    """What a head brings to a copy in one state: made with the network, applied without it."""

    state: State
    contradicted: tuple[int, ...]
    """Sizes of heads that are remembered here and are of another log."""
    evidence: tuple[Evidence, ...]
    retreats: bool
    packages: tuple[tuple[Package, EntryPackage], ...]


def _pull(fetch: Fetch, copy: LogCopy, head: Head) -> None:
    """Raises PeerMisbehaved for tiles that do not lie under the head, and what `follow` raises."""
    try:
        reader = TileReader(fetch, head.checkpoint.size, head.checkpoint.root)
        done = any(_apply(_plan(fetch, reader, copy, head), copy, head) for _ in range(TRIES))
    except (InvalidTile, InvalidTree, InvalidMirrorMessage) as error:
        raise PeerMisbehaved(f"shows tiles that are not the log's: {error.detail}") from None
    if done and copy.signed < head.checkpoint.size <= copy.size:
        copy.sign(head)


def _plan(fetch: Fetch, reader: TileReader, copy: LogCopy, head: Head) -> _Plan:
    state, size, tree = copy.state(), head.checkpoint.size, reader.tree()
    others = [known for known in state.known if 0 < known.checkpoint.size <= size]
    differing = [known for known in others if tree.root(known.checkpoint.size) != known.checkpoint.root]
    contradicted = tuple(known.checkpoint.size for known in differing)
    evidence = tuple(_evidence(reader, known, head) for known in differing)
    if any(first <= state.signed for first in contradicted):
        return _Plan(state, contradicted, evidence, False, ())
    own = min(state.size, size)
    retreats = own > 0 and tree.root(own) != copy.root(own)
    start = state.signed if retreats else own
    return _Plan(state, contradicted, evidence, retreats, _packages(fetch, reader, start, copy.log.name))


def _apply(plan: _Plan, copy: LogCopy, head: Head) -> bool:
    """Make the head a pending one if it follows on the mirror's own, and keep its entries; False if the copy has
    changed since the plan was made. Raises HeadContradicts.

    Heads that were pending and are of another log are given up, with entries that came under them: nothing was signed
    over these, and the operator is convicted by both heads.
    """
    with copy.turn():
        if copy.state() != plan.state:
            return False
        for found in plan.evidence:
            copy.evidence.add(found)
        if any(first <= plan.state.signed for first in plan.contradicted):
            raise HeadContradicts(f"the operator signed two logs: at {plan.state.signed} entries they differ")
        if plan.retreats:
            copy.retreat()
        copy.add_pending(head, plan.contradicted)
        for place, package in plan.packages:
            package.check(place, copy.leaves(place.base, place.start), head.checkpoint.size, head.checkpoint.root)
            copy.append(place.start, package.entries)
        return True


def _evidence(reader: TileReader, known: Head, head: Head) -> Evidence:
    first, second = known.checkpoint.size, head.checkpoint.size
    proof = reader.tree().consistency_proof(first, second) if first < second else []
    return Evidence(known.note.format(), head.note.format(), reader.tree().root(first), tuple(proof))


def _packages(fetch: Fetch, reader: TileReader, start: int, origin: str) -> tuple[tuple[Package, EntryPackage], ...]:
    """The next packages from a start on, as an upload would bring them, up to MAX_FETCHED bytes."""
    found: list[tuple[Package, EntryPackage]] = []
    fetched = 0
    for place in islice(UploadHeader(origin, start, reader.size).packages(), BUNDLES):
        bundle = tile_of(0, place.base // WIDTH, reader.size, entries=True)
        data = fetch(bundle)
        entries = parse_bundle(data, bundle.width)[place.start - place.base : place.end - place.base]
        proof = subtree_proof(reader.tree(), place.base, place.end, reader.size)
        found.append((place, EntryPackage(tuple(entries), tuple(proof))))
        fetched += len(data)
        if fetched >= MAX_FETCHED:
            break
    return tuple(found)
