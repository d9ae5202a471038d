"""An operator's server that shows one client a second log: the real one, and entries of its own behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.bundles import format_bundle
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, Tile, parse_tile

Entries = Callable[[], Sequence[str]]


class Fork:
    """Shows the fork once: behind as many of the real entries as `parts` says of them, where that is not 0. Afterwards
    it is the real server again."""

    def __init__(
        self, app: ASGIApp, entries: Entries, signer: LogSigner, extra: bytes, parts: Callable[[Sequence[str]], int]
    ) -> None:
        self._app, self._entries, self._signer, self._extra, self._parts = app, entries, signer, extra, parts
        self._leaves: list[bytes] = []
        self._tree = GrowingTree()
        self.shown = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the server's place, or let it answer."""
        path = scope["path"] if scope["type"] == "http" else ""
        answer = None
        if path == "/log/checkpoint":
            answer = await run_in_threadpool(self._head)
        elif path.startswith("/log/tile") and self._leaves:
            answer = await run_in_threadpool(self._tile, parse_tile(path.removeprefix("/log/")))
        await (self._app if answer is None else Response(answer))(scope, receive, send)

    def _head(self) -> bytes | None:
        self._leaves = []
        real = self._entries()
        place = 0 if self.shown.is_set() else self._parts(real)
        if not place:
            return None
        self._leaves, self._tree = [*(text.encode() for text in real[:place]), self._extra], GrowingTree()
        self._tree.append(SHA256_TREE.leaf_hash(entry) for entry in self._leaves)
        self.shown.set()
        return self._signer.head(len(self._leaves), self._tree.root(len(self._leaves))).format()

    def _tile(self, tile: Tile) -> bytes:
        if tile.entries:
            return format_bundle(self._leaves[tile.index * WIDTH : tile.index * WIDTH + tile.width])
        return tile_bytes(self._tree.stored.fetch, tile)
