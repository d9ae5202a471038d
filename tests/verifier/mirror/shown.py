"""Logs as one party shows them to a copy, without a socket: forks, an endless one, and a machine that reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import StoredTree
from contracts.mirrors.peer import Peer, Reply
from contracts.protocol.judge.errors import Differs
from contracts.tlog.bundles import format_bundle
from contracts.tlog.checkpoint import Checkpoint, sign_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.note import SignedNote
from contracts.tlog.tile_tree import node_place
from contracts.tlog.tiles import BITS, WIDTH, Tile, parse_tile
from tests.verifier.mirror.world import LOG, OPERATOR, ORIGIN, Operator, cosigner
from verifier.mirror.exchange.following import ShownHead, follow
from verifier.mirror.store.branches import CosignerKeys, nobody
from verifier.mirror.store.copy import LogCopy

BAD = b"bad"


@dataclass
class Reading:
    """A machine that takes all entries but those that begin with BAD, and waits before those that `waits` names."""

    copy: LogCopy | None = None
    waits: Callable[[bytes], bool] = lambda _: False
    asked: list[int] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    def advance(self, size: int) -> None:
        """As verifier/replica/replica.py:Replica.advance."""
        assert self.copy is not None
        self.asked.append(size)
        here = self.copy.entries(0, min(size, self.copy.size))
        if self.taken != here[: len(self.taken)]:
            self.taken = here[: self.copy.signed]
        for entry in here[len(self.taken) :]:
            if entry.startswith(BAD):
                raise Differs(len(self.taken), "is not what follows")
            if self.waits(entry):
                raise Waits("the chain node is behind")
            self.taken.append(entry)


class Waits(Exception):
    """Not now."""


class Endless:
    """The real log, and behind it one entry for ever: nodes are computed when they are asked for."""

    def __init__(self, real: Sequence[bytes], junk: bytes, origin: str = ORIGIN) -> None:
        self._real, self._junk, self.size, self._origin = list(real), junk, len(real) + 2**40, origin
        self._leaves = [SHA256_TREE.leaf_hash(entry) for entry in real]
        self._nodes = [SHA256_TREE.leaf_hash(junk)]
        for _ in range(64):
            self._nodes.append(SHA256_TREE.node_hash(self._nodes[-1], self._nodes[-1]))
        self._node = lru_cache(maxsize=None)(self._made)

    def head(self) -> SignedNote:
        """As the operator signs it."""
        root = StoredTree(lambda numbers: {number: self._node(*node_place(number)) for number in numbers}).root(
            self.size
        )
        return sign_checkpoint(Checkpoint(self._origin, self.size, root), OPERATOR)

    def tile(self, tile: Tile) -> bytes:
        """As a log serves it."""
        places = range(tile.index * WIDTH, tile.index * WIDTH + tile.width)
        if tile.entries:
            return format_bundle([self._real[p] if p < len(self._real) else self._junk for p in places])
        return b"".join(self._node(tile.level * BITS, place) for place in places)

    def _made(self, level: int, index: int) -> bytes:
        if index << level >= len(self._leaves):
            return self._nodes[level]
        if level == 0:
            return self._leaves[index]
        return SHA256_TREE.node_hash(self._node(level - 1, 2 * index), self._node(level - 1, 2 * index + 1))


@dataclass
class Showing:
    """Somebody who shows a log, under the cosignatures of these verifiers (seeds by name). Keeps what was asked for."""

    log: Operator | Endless
    by: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, most: int, seconds: float | None = None) -> Reply:
        """As Peer.get."""
        self.asked.append(path)
        if path == "/log/checkpoint":
            return Reply(200, self.note().format())
        tile = parse_tile(path.removeprefix("/log/"))
        return Reply(200, self.log.tile(tile))

    def note(self) -> SignedNote:
        """What it shows."""
        note = self.log.head() if isinstance(self.log, Endless) else self.log.head(self.size)
        return note.adding(*(cosign(note.text, name, cosigner(name, seed).key, 7) for name, seed in self.by.items()))

    def bundles(self) -> int:
        """How many were fetched."""
        return sum("tile/entries" in path for path in self.asked)


def look(copy: LogCopy, shown: Showing) -> ShownHead | None:
    """One look at one party. Raises what `follow` raises."""
    return asyncio.run(follow(cast(Peer, shown), copy, "/log"))


def reading_copy(
    folder: Path, judges: Callable[[], CosignerKeys] = nobody, waits: Callable[[bytes], bool] = lambda _: False
) -> tuple[LogCopy, Reading]:
    """A copy, and the machine that reads it."""
    machine = Reading(waits=waits)
    copy = LogCopy(folder, LOG, cosigner(), machine.advance, judges=judges)
    machine.copy = copy
    return copy, machine


def fork(same: int, more: int, text: str = "another") -> Operator:
    """A log that begins as all of these tests' logs do."""
    return Operator().grow(same).grow(more, text)
