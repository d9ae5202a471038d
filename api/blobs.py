"""Routes of blobs, named by their BLAKE3 digest: only what an entered message announced is taken (J21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from sqlmodel import select

from api.access import get_ledger, get_settings
from api.settings import ServerSettings
from api.uploads import Uploads, length_of
from ledger.errors import NotFound
from ledger.judgement import announced
from ledger.service import Ledger
from ledger.tables import AnnouncedRow

router = APIRouter()
Name = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Known:
    """What is known of a blob: the sizes that messages name, the author of one of them, and whether it is here."""

    sizes: frozenset[int]
    author: str
    is_here: bool


@router.put("/blobs/{name}")
async def put_blob(
    name: Name,
    request: Request,
    ledger: Ledger = Depends(get_ledger),
    settings: ServerSettings = Depends(get_settings),
) -> JSONResponse:
    """Store bytes that a message in the log announced; refused before they are read where none did. Whoever sends what
    is here already is told so at once."""
    known = await run_in_threadpool(_announced, ledger, name)
    length = length_of(request, known.sizes, settings.max_blob_bytes)
    if not known.is_here:
        uploads: Uploads = request.app.state.uploads
        await uploads.take(request, ledger.blobs, name, known.author, length)
    return JSONResponse({"blob": name}, headers={"Connection": "close"} if known.is_here else None)


@router.get("/blobs/{name}")
def get_blob(name: Name, ledger: Ledger = Depends(get_ledger)) -> FileResponse:
    """The bytes; anybody may read, in ranges as well."""
    return FileResponse(ledger.blobs.path(name), media_type="application/octet-stream")


def _announced(ledger: Ledger, name: str) -> Known:
    """Raises NotAnnounced."""
    with ledger.store.read() as session:
        sizes = announced.sizes(session, name)
        author = session.exec(select(AnnouncedRow.author).where(AnnouncedRow.digest == name).limit(1)).first()
    try:
        ledger.blobs.path(name)
    except NotFound:
        return Known(sizes, author or "", False)
    return Known(sizes, author or "", True)
