"""The log as static files: its tiles in the format of C2SP's tlog-tiles."""

from __future__ import annotations

from sqlmodel import Session

from contracts.tlog.bundles import format_bundle
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile
from ledger.books import log
from ledger.errors import NotFound


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
