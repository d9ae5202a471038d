"""Routes of blobs, named by their BLAKE3 digest: only what an entered message announced is taken (J21)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from api.access import get_ledger, get_settings
from api.settings import ServerSettings
from ledger.errors import BlobMismatch, BlobTooLarge
from ledger.judgement import announced
from ledger.service import Ledger

router = APIRouter()
Name = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.put("/blobs/{name}")
async def put_blob(
    name: Name,
    request: Request,
    ledger: Ledger = Depends(get_ledger),
    settings: ServerSettings = Depends(get_settings),
) -> dict[str, str]:
    """Store bytes that a message in the log announced; refused before they are read where none did."""
    sizes = await run_in_threadpool(_sizes, ledger, name)
    most = min(max(sizes), settings.max_blob_bytes)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise BlobTooLarge(f"more arrived than the {most} bytes that were announced")
    if len(data) not in sizes:
        raise BlobMismatch(f"{len(data)} bytes arrived, of which no message speaks")
    return {"blob": await run_in_threadpool(ledger.blobs.put, bytes(data), name)}


@router.get("/blobs/{name}")
def get_blob(name: Name, ledger: Ledger = Depends(get_ledger)) -> FileResponse:
    """The bytes; anybody may read, in ranges as well."""
    return FileResponse(ledger.blobs.path(name), media_type="application/octet-stream")


def _sizes(ledger: Ledger, name: str) -> frozenset[int]:
    with ledger.store.read() as session:
        return announced.sizes(session, name)
