"""The log as static files: its head and its tiles in the formats of C2SP's tlog-tiles."""

from __future__ import annotations

from sqlmodel import Session

from contracts.protocol.log.operator import LogSigner
from contracts.tlog.bundles import format_bundle
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile
from ledger import log
from ledger.errors import NotFound


def checkpoint(session: Session, signer: LogSigner) -> bytes:
    """The head of now, signed by the operator."""
    size = log.size(session)
    return signer.head(size, log.root(session, size)).format()


def tile(session: Session, wanted: Tile) -> bytes:
    """Hashes of a tile, or the entries under one. Raises NotFound beyond the log's end."""
    try:
        wanted.check_within(log.size(session))
    except InvalidTile as error:
        raise NotFound(error.detail) from error
    if not wanted.entries:
        return tile_bytes(log.tree(session).fetch, wanted)
    rows = log.bodies(session, wanted.index * WIDTH, wanted.width)
    return format_bundle([row.body.encode() for row in rows])
