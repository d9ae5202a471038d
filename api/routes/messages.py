"""Routes of signed messages: one door for all of them, and the mirrors' addresses for a new reader."""

from __future__ import annotations

import json

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from api.access import get_ledger
from contracts.mirrors.urls import NOWHERE
from contracts.protocol.log.leaf import LARGEST_LEAF
from contracts.wire.fields import Object
from contracts.wire.log import Accepted
from contracts.wire.network import MirrorPlace, Mirrors
from ledger.context import Ledger
from ledger.intake import door
from ledger.intake.admitted import admitted

router = APIRouter()
LEAF: Object = {
    "required": True,
    "description": "The text that becomes its leaf, in canonical JSON (docs/http.md): nobody can make one up.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LeafBody"}}},
}


@router.post("/messages", openapi_extra={"requestBody": LEAF})
async def take(request: Request, ledger: Ledger = Depends(get_ledger)) -> Accepted:
    """Enter a signed message into the log, with all derived entries. The same message again changes nothing."""
    data = await request.body()
    if len(data) > LARGEST_LEAF:
        raise HTTPException(413, f"a message has at most {LARGEST_LEAF} bytes")
    taken = await run_in_threadpool(door.take, ledger, data)
    return Accepted(digest=taken.digest, index=taken.index, entered=taken.entered)


@router.get("/mirrors")
def list_mirrors(ledger: Ledger = Depends(get_ledger)) -> Mirrors:
    """List the addresses of mirrors, as verifiers signed them. A mirror's own list has the same form."""
    first = ledger.chain.deployment.first_mirrors()
    with ledger.store.read() as session:
        signed = {row.verifier: row for row in door.mirrors(session)}
        verifiers, _ = admitted(ledger, session)
    shown = []
    for verifier in dict.fromkeys([*verifiers, *signed]):
        row = signed.get(verifier)
        url = row.url if row is not None else first.get(verifier)
        message = json.loads(row.text) if row is not None else None
        shown.append(MirrorPlace(verifier=verifier, url=None if url == NOWHERE else url, message=message))
    return Mirrors(mirrors=shown, evidence=[])
