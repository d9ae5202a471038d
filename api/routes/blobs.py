"""Routes of blobs, named by their BLAKE3 digest: only what an entered message announced is taken (J21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from sqlmodel import select

from api.access import get_ledger, get_settings
from api.http.uploads import Uploads, length_of
from api.settings import ServerSettings
from contracts.mirrors.tickets import HEADER, TO_SERVER, bringer
from contracts.wire.log import StoredBlob
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.intake import door
from ledger.machine import announced
from ledger.storage.tables import AnnouncedRow

router = APIRouter()
Name = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]

OCTETS: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@dataclass(frozen=True)
class BlobRecord:
    """A blob's sizes by the messages that name it, their authors, and whether the blob is stored here."""

    sizes: frozenset[int]
    authors: frozenset[str]
    is_here: bool


@router.put("/blobs/{name}", response_model=StoredBlob, openapi_extra={"requestBody": OCTETS})
async def put_blob(
    name: Name,
    request: Request,
    ledger: Ledger = Depends(get_ledger),
    settings: ServerSettings = Depends(get_settings),
) -> JSONResponse:
    """Store a blob that a message in the log announced, for the message's author or for a verifier.

    Bytes that no message announced, and bytes without a ticket, are refused before they are read. A blob that the
    server has already is answered at once."""
    record = await run_in_threadpool(_announced, ledger, name)
    length = length_of(request, record.sizes, settings.max_blob_bytes)
    if not record.is_here:
        uploads: Uploads = request.app.state.uploads
        key = await run_in_threadpool(_bringer, ledger, name, record.authors, request.headers.getlist(HEADER))
        await uploads.take(request, ledger.blobs, name, key, length)
    return JSONResponse({"blob": name}, headers={"Connection": "close"} if record.is_here else None)


@router.get("/blobs/{name}", response_class=FileResponse, responses={200: OCTETS, 206: OCTETS})
def get_blob(name: Name, ledger: Ledger = Depends(get_ledger)) -> FileResponse:
    """Read the bytes of a blob, or a range of them. Anybody may read."""
    return FileResponse(ledger.blobs.path(name), media_type="application/octet-stream")


def _announced(ledger: Ledger, name: str) -> BlobRecord:
    """Raises NotAnnounced."""
    with ledger.store.read() as session:
        sizes = announced.sizes(session, name)
        authors = frozenset(session.exec(select(AnnouncedRow.author).where(AnnouncedRow.digest == name)))
    try:
        ledger.blobs.path(name)
    except NotFound:
        return BlobRecord(sizes, authors, False)
    return BlobRecord(sizes, authors, True)


def _bringer(ledger: Ledger, name: str, authors: frozenset[str], tickets: Sequence[str]) -> str:
    """The key that brings a blob. Raises what `bringer` does."""

    def may(key: str) -> bool:
        return key in authors or key in door.admitted(ledger)

    return bringer(tickets, name, TO_SERVER, ledger.judge.domain, may)
