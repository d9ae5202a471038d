"""A mirror's routes over HTTP: the log's formats, messages, addresses and blobs; nothing else, and no redirect.

| route | |
|---|---|
| `GET /{origin hash}/checkpoint` | the mirror's head, cosigned (tlog-tiles) |
| `GET /{origin hash}/tile/...` | tiles, and entries under `tile/entries/` (tlog-tiles) |
| `POST /add-checkpoint`, `POST /add-entries` | new heads and entries (tlog-mirror); verifiers by a ticket |
| `GET /messages?since=`, `POST /messages` | messages that the copy of the log lacks |
| `GET /mirrors` | the newest address of each verifier, and two logs under one signature where they were seen |
| `GET /signatures` | signatures on messages for contracts: k of them are good for the chain, whoever brings them |
| `GET /blobs/{digest}`, `PUT /blobs/{digest}` | blobs by BLAKE3 digest, ranges as well; uploads under a ticket |
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from contracts.errors import BadField
from contracts.messages.for_log import MirrorAddress
from contracts.mirrors.arrival import LEAST_RATE, NoPlace
from contracts.mirrors.crowding import network_of
from contracts.mirrors.slots import Sender, Slots
from contracts.mirrors.tickets import HEADER, bringer
from contracts.mirrors.urls import NOWHERE
from contracts.recursion import bound_recursion
from contracts.tlog.mirror import INFO_TYPE, Take, origin_hash
from contracts.tlog.note import format_signatures
from contracts.tlog.text import parse_decimal
from contracts.tlog.tiles import InvalidTile, parse_tile
from contracts.tlog.witness import MAX_REQUEST, parse_add_checkpoint
from verifier.mirror.errors import MirrorBusy, NotHeld, NotWelcome, RangeRefused
from verifier.mirror.http.incoming import Incoming, announced_length
from verifier.mirror.http.problems import HANDLERS
from verifier.mirror.http.uploads import UploadResult, add_checkpoint, add_entries, gunzipped
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.announced import blob_name
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import MAX_MESSAGE, Reader

UPLOADS = 8
"""Uploads of entries under way at once: each has a thread, and up to 17 MB in memory."""

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
SERVED = 2**18
"""Bytes of a blob in memory for each reader."""
_BYTES = "application/octet-stream"


@dataclass
class Mirror:
    """One verifier's (`address`) parts that are served. `verifiers` gives the addresses on the chain's list."""

    address: str
    reader: Reader
    messages: MessageStore
    blobs: BlobStore
    book: AddressBook
    copy: LogCopy
    verifiers: Callable[[], list[str]]
    signatures: Callable[[], bytes] = lambda: b'{"signatures": []}'
    uploads: Slots = field(default_factory=lambda: Slots(UPLOADS, UPLOADS // 2, UPLOADS // 2))
    slots: Slots = field(default_factory=Slots)


def mirror_app(mirror: Mirror) -> Starlette:
    """The application."""
    bound_recursion()
    log = f"/{origin_hash(mirror.copy.log.name)}"
    routes = [
        _route("GET", f"{log}/checkpoint", _checkpoint),
        _route("GET", f"{log}/{{path:path}}", _tile),
        _route("POST", "/add-checkpoint", _add_checkpoint),
        _route("POST", "/add-entries", _add_entries),
        _route("GET", "/messages", _get_messages),
        _route("POST", "/messages", _post_message),
        _route("GET", "/mirrors", _mirrors),
        _route("GET", "/signatures", _signatures),
        _route("GET", "/blobs/{digest}", _get_blob),
        _route("PUT", "/blobs/{digest}", _put_blob),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.mirror = mirror
    return app


def _route(method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """One method alone: HEAD would read a whole blob to say nothing."""
    route = Route(path, endpoint, methods=[method])
    route.methods = {method}
    return route


def _of(request: Request) -> Mirror:
    mirror: Mirror = request.app.state.mirror
    return mirror


async def _checkpoint(request: Request) -> Response:
    head = await run_in_threadpool(_of(request).copy.head)
    if head is None:
        raise NotHeld("this mirror has signed no head of the log yet")
    return Response(head.note.format(), media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


async def _tile(request: Request) -> Response:
    try:
        tile = parse_tile(request.path_params["path"])
    except InvalidTile as error:
        raise NotHeld(error.detail) from None
    data = await run_in_threadpool(_of(request).copy.tile, tile)
    return Response(data, media_type=_BYTES, headers={"Cache-Control": "public, max-age=31536000, immutable"})


async def _add_checkpoint(request: Request) -> Response:
    added = parse_add_checkpoint(await Incoming(request, MAX_REQUEST).whole())
    await run_in_threadpool(add_checkpoint, _of(request).copy, added)
    return Response(b"", media_type="text/plain; charset=utf-8")


async def _add_entries(request: Request) -> Response:
    """The body is as long as its header says, so it is read package by package."""
    incoming = Incoming(request, None)
    mirror = _of(request)
    take = incoming.take()
    packed = _is_gzip(request)
    sender = await run_in_threadpool(_carrier, request)
    with _place(mirror.uploads, sender, incoming):
        result = await anyio.to_thread.run_sync(_upload, mirror, take, packed, limiter=anyio.CapacityLimiter(1))
    if result.signatures:
        return Response(format_signatures(result.signatures), media_type="text/plain; charset=utf-8")
    return Response(result.info.format(), 202, {"Content-Type": INFO_TYPE})


def _carrier(request: Request) -> Sender:
    """The sender of entries: a verifier by its ticket, for which half of the places are kept, or a network address.

    Raises what `bringer` does.
    """
    mirror = _of(request)
    tickets = request.headers.getlist(HEADER)
    if not tickets:
        return Sender(network_of(request.client.host if request.client else ""))
    verifiers = mirror.verifiers()
    log = origin_hash(mirror.copy.log.name)
    key = bringer(tickets, log, mirror.address, mirror.reader.domain, verifiers.__contains__)
    return Sender(key, staked=True)


@contextmanager
def _place(slots: Slots, sender: Sender, incoming: Incoming) -> Iterator[None]:
    """Raises MirrorBusy."""
    with ExitStack() as stack:
        try:
            stack.enter_context(slots.place(sender, incoming.arrival))
        except NoPlace as error:
            raise MirrorBusy(str(error)) from None
        yield


def _upload(mirror: Mirror, take: Take, packed: bool) -> UploadResult:
    return add_entries(mirror.copy, gunzipped(take) if packed else take)


def _is_gzip(request: Request) -> bool:
    """Raises BadField for any other encoding."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("gzip", "identity"):
        raise BadField("content-encoding must be gzip or identity")
    return encoding == "gzip"


async def _get_messages(request: Request) -> Response:
    since = parse_decimal(request.query_params.get("since", "0"), BadField)
    page = await run_in_threadpool(_of(request).messages.since, since)
    messages = ",".join(f'{{"body":{held.signed.text},"sequence":{held.sequence}}}' for held in page.held)
    text = f'{{"last":{page.last},"messages":[{messages}],"store":"{page.store}"}}'
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _post_message(request: Request) -> Response:
    data = await Incoming(request, MAX_MESSAGE).whole()
    return await run_in_threadpool(_take_message, _of(request), data)


def _take_message(mirror: Mirror, data: bytes) -> Response:
    message = mirror.reader.parse(data)
    if not isinstance(message.claim, MirrorAddress):
        mirror.messages.take_unchecked(message)
    elif message.author in mirror.verifiers():
        mirror.book.take(mirror.reader.check(message))
    else:
        raise NotWelcome(f"{message.author} is no verifier")
    return Response(json.dumps({"digest": message.digest}), media_type="application/json")


async def _mirrors(request: Request) -> Response:
    """Verifiers on the chain's list without an address are shown as unreachable."""
    mirror = _of(request)
    newest = await run_in_threadpool(mirror.book.newest)
    listed = await run_in_threadpool(mirror.verifiers)
    entries = []
    for verifier in dict.fromkeys([*listed, *newest]):
        address = newest.get(verifier)
        url = address.url if address and address.url != NOWHERE else None
        message = json.loads(address.text) if address and address.text else None
        entries.append({"verifier": verifier, "url": url, "message": message})
    evidence = [finding.body() for finding in await run_in_threadpool(mirror.copy.evidence.all)]
    return Response(json.dumps({"mirrors": entries, "evidence": evidence}), media_type="application/json")


async def _signatures(request: Request) -> Response:
    return Response(await run_in_threadpool(_of(request).signatures), media_type="application/json")


async def _put_blob(request: Request) -> Response:
    """A sender of a blob that is here already, and one without a ticket, is answered before its bytes are read."""
    mirror = _of(request)
    digest = blob_name(request.path_params["digest"])
    senders = await run_in_threadpool(mirror.blobs.senders, digest)
    if not mirror.blobs.has(digest):
        sender = await run_in_threadpool(_sender, mirror, digest, senders, request.headers.getlist(HEADER))
        incoming = Incoming(request, None, sender.least_rate)
        length = announced_length(request)
        with _place(mirror.slots, sender, incoming), ExitStack() as stack:
            receiving = await run_in_threadpool(stack.enter_context, mirror.blobs.receive(digest, length))
            async for chunk in incoming.chunks():
                await run_in_threadpool(receiving.write, chunk)
            await run_in_threadpool(receiving.finish)
    return Response(json.dumps({"blob": digest}), media_type="application/json", headers={"Connection": "close"})


def _sender(mirror: Mirror, digest: str, senders: Mapping[str, Sender], tickets: Sequence[str]) -> Sender:
    """The sender of a blob: a key that announced the blob, or a verifier. Raises what `bringer` does."""
    verifiers = mirror.verifiers()
    key = bringer(tickets, digest, mirror.address, mirror.reader.domain, lambda key: key in senders or key in verifiers)
    staked = key in verifiers or senders[key].staked
    return Sender(key, staked, min((sender.least_rate for sender in senders.values()), default=LEAST_RATE))


async def _get_blob(request: Request) -> Response:
    file, size = await run_in_threadpool(_of(request).blobs.open, request.path_params["digest"])
    try:
        start, end = _range(request.headers.get("range"), size)
    except RangeRefused:
        file.close()
        raise
    headers = {"Content-Length": str(end - start), "Accept-Ranges": "bytes"}
    if "range" in request.headers:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 206 if "range" in request.headers else 200
    return StreamingResponse(_chunks(file, start, end), status, headers, _BYTES)


async def _chunks(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    with file:
        file.seek(start)
        while start < end:
            chunk = await run_in_threadpool(file.read, min(SERVED, end - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk


def _range(text: str | None, size: int) -> tuple[int, int]:
    """First byte and the one after the last. Raises RangeRefused for all but one range that the blob has."""
    if text is None:
        return 0, size
    match = _RANGE.fullmatch(text)
    if match is None or match.groups() == ("", ""):
        raise RangeRefused("a range is bytes=FIRST-LAST, one of them at a time")
    first, last = match.groups()
    if not first:
        return _checked(max(0, size - int(last)), size, size)
    return _checked(int(first), min(size, int(last) + 1) if last else size, size)


def _checked(start: int, end: int, size: int) -> tuple[int, int]:
    if not start < end <= size:
        raise RangeRefused(f"the blob has {size} bytes")
    return start, end
