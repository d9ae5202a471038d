"""Routes of content-addressed blobs. Only enrolled nodes, anchored verifiers and the run's creator may store."""

from __future__ import annotations

import json

from eth_utils import to_checksum_address
from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from api.access import get_ledger, get_settings
from api.settings import ServerSettings
from api.wire import octets
from contracts.errors import BadField
from contracts.messages import BlobUpload, from_json
from ledger.errors import BlobMismatch, BlobTooLarge, NotEnrolled
from ledger.service import Ledger
from ledger.tables import Anchor, Node

router = APIRouter()


@router.put("/blobs/{name}")
async def put_blob(
    name: str,
    request: Request,
    x_commonweight_message: str = Header(),
    x_commonweight_signature: str = Header(pattern=r"^0x([0-9a-fA-F]{2})+$"),
    ledger: Ledger = Depends(get_ledger),
    settings: ServerSettings = Depends(get_settings),
) -> dict[str, str]:
    """Store bytes under their BLAKE3 digest; the size is checked before and while they arrive."""
    message = _message(x_commonweight_message)
    if message.size > settings.max_blob_bytes:
        raise BlobTooLarge(f"{message.size} bytes are above the limit of {settings.max_blob_bytes}")
    if message.blob.hex() != name:
        raise BlobMismatch("the signed digest is not the one in the path")
    ledger.check(message, octets(x_commonweight_signature), message.uploader)
    _require_uploader(ledger, message)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > message.size:
            raise BlobTooLarge(f"more arrived than the {message.size} bytes that were announced")
    if len(data) != message.size:
        raise BlobMismatch(f"{len(data)} bytes arrived of {message.size}")
    return {"blob": await run_in_threadpool(ledger.blobs.put, bytes(data), name)}


@router.get("/blobs/{name}")
def get_blob(name: str, ledger: Ledger = Depends(get_ledger)) -> FileResponse:
    """The bytes; anybody may read."""
    return _BlobResponse(ledger.blobs.path(name), media_type="application/octet-stream")


class _BlobResponse(FileResponse):
    chunk_size = 2**20


def _message(text: str) -> BlobUpload:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadField("X-Commonweight-Message must be a BlobUpload as JSON") from error
    if not isinstance(body, dict):
        raise BadField("X-Commonweight-Message must be a JSON object")
    return from_json(BlobUpload, body)


def _require_uploader(ledger: Ledger, message: BlobUpload) -> None:
    name, run = to_checksum_address(message.uploader), "0x" + message.run.hex()
    if name == ledger.chain.deployment.deployer:
        return
    with ledger.store.read() as session:
        if session.get(Node, (run, name)) is None and session.get(Anchor, (run, name)) is None:
            raise NotEnrolled(f"{name} is neither node nor verifier of run {run}")
