"""The bytes of a blob as they arrive: to a file as they come, in a place of their own, at a least rate.

One chunk of each upload is in memory. A body without a length, or with one that no message announced, is
refused before a byte of it is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from contracts.errors import CommonweightError
from contracts.mirrors.arrival import Arrival, NoPlace, TooSlow
from contracts.mirrors.slots import AT_ONCE, FAIR_RATE, Sender, Slots
from ledger.errors import BlobMismatch, BlobTooLarge
from ledger.storage.blobs import BlobFolder

LEAST_RATE = FAIR_RATE // 8
"""Bytes a second: a node brings its bytes to the server and to several mirrors at one time."""


class LengthRequired(CommonweightError):
    """An upload whose Content-Length is missing, or no number."""

    code = "length-required"
    status = 411


class SlowUpload(CommonweightError):
    """No byte for ten seconds, or fewer a second than the least rate."""

    code = "slow-peer"
    status = 408


class UploadsBusy(CommonweightError):
    """As many uploads are under way as the server takes at once, or another one needs this one's place."""

    code = "mirror-busy"
    status = 503


class Uploads:
    """The uploads into a server's folder of blobs."""

    def __init__(self) -> None:
        self.slots = Slots(stakeless=AT_ONCE)

    async def take(self, request: Request, blobs: BlobFolder, name: str, key: str, length: int) -> None:
        """Store the body, which this key brings, under its digest (64 hex digits).

        Raises SlowUpload, UploadsBusy, BlobMismatch, BlobTooLarge and DiskFull; then nothing of the body stays.
        """
        arrival = Arrival(request.receive, LEAST_RATE)
        with _refused(), self.slots.place(Sender(key), arrival), blobs.arriving() as arriving:
            async for chunk in _chunks(arrival, length):
                await run_in_threadpool(arriving.write, chunk)
            await run_in_threadpool(blobs.keep, arriving, name)


def length_of(request: Request, sizes: frozenset[int], limit: int) -> int:
    """Bytes of the body, as its head says. Raises LengthRequired, BlobTooLarge and BlobMismatch."""
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise LengthRequired("say with Content-Length how many bytes the blob has")
    most = min(max(sizes), limit)
    if int(text) > most:
        raise BlobTooLarge(f"{int(text)} bytes are more than the {most} that were announced")
    if int(text) not in sizes:
        raise BlobMismatch(f"{int(text)} bytes, of which no message speaks")
    return int(text)


async def _chunks(arrival: Arrival, length: int) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await arrival.next()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the connection ended before the body did")
        if arrival.count > length:
            raise BlobTooLarge(f"more arrived than the {length} bytes that were announced")
        more = message.get("more_body", False)
        yield message.get("body", b"")
    if arrival.count != length:
        raise BlobMismatch(f"{arrival.count} bytes arrived instead of {length}")


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except TooSlow as error:
        raise SlowUpload(str(error)) from None
    except NoPlace as error:
        raise UploadsBusy(str(error)) from None
