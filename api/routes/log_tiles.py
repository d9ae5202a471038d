"""Routes of the log as C2SP's tlog-tiles has it: anybody's monitor, witness or mirror reads them as files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from api.access import get_ledger
from contracts.tlog.tiles import InvalidTile, parse_tile
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.public_log import heads, tiles

router = APIRouter(prefix="/log")
OCTETS: dict[str, Any] = {"content": {"application/octet-stream": {}}}
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/checkpoint", response_class=PlainTextResponse)
def checkpoint(ledger: Ledger = Depends(get_ledger)) -> Response:
    """Read the current head of the log, a note that the operator signed (C2SP tlog-checkpoint)."""
    with ledger.store.read() as session:
        note = heads.sign(ledger, session)
    return Response(note, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.get("/{path:path}", response_class=Response, responses={200: OCTETS})
def tile(path: str, ledger: Ledger = Depends(get_ledger)) -> Response:
    """Read a tile of the log, or the entries under a tile (C2SP tlog-tiles). The bytes never change."""
    try:
        wanted = parse_tile(path)
    except InvalidTile as error:
        raise NotFound(error.detail) from error
    with ledger.store.read() as session:
        data = tiles.tile(session, wanted)
    return Response(data, media_type="application/octet-stream", headers=FOR_EVER)
