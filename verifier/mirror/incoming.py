"""The body of a request as it comes in: bounded before it is read, and never waited for without an end.

Ten seconds without a byte end a request. After these the body has to come at the least rate on average, so that a byte
now and then holds nothing up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import anyio.from_thread
from starlette.requests import ClientDisconnect, Request

from contracts.mirrors.peer import IDLE_SECONDS
from contracts.tlog.mirror import Take
from verifier.mirror.errors import BodyTooLarge, SlowPeer

LEAST_RATE = 4096
"""Bytes a second of a body that takes longer than IDLE_SECONDS, on average."""


def announced_length(request: Request) -> int | None:
    """What the client says that it sends, in bytes; None where it sends in chunks of unknown number."""
    text = request.headers.get("content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


class Incoming:
    """The body of one request, at most `most` bytes of it (None: the reader bounds it).

    Raises BodyTooLarge where the client announces more.
    """

    def __init__(self, request: Request, most: int | None) -> None:
        length = announced_length(request)
        if most is not None and length is not None and length > most:
            raise BodyTooLarge(f"the body has at most {most} bytes")
        self._request, self._most = request, most
        self._count, self._begun = 0, time.monotonic()
        self._rest, self._ended = b"", False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises BodyTooLarge, SlowPeer and ClientDisconnect."""
        while not self._ended:
            chunk = await self._next()
            if chunk:
                yield chunk

    async def whole(self) -> bytes:
        """All of the body."""
        return b"".join([chunk async for chunk in self.chunks()])

    def take(self) -> Take:
        """For a reader in a thread of its own: the next bytes, at most so many, fewer only at the end."""
        return lambda count: anyio.from_thread.run(self._exactly, count)

    async def _exactly(self, count: int) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < count and not self._ended:
            parts.append(await self._next())
            have += len(parts[-1])
        found = b"".join(parts)
        self._rest = found[count:]
        return found[:count]

    async def _next(self) -> bytes:
        try:
            message = await asyncio.wait_for(self._request.receive(), IDLE_SECONDS)
        except TimeoutError:
            raise SlowPeer(f"no byte came for {IDLE_SECONDS:.0f} seconds") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        self._ended = not message.get("more_body", False)
        self._count += len(chunk)
        self._check()
        return chunk

    def _check(self) -> None:
        if self._most is not None and self._count > self._most:
            raise BodyTooLarge(f"the body has at most {self._most} bytes")
        late = time.monotonic() - self._begun - IDLE_SECONDS
        if late > 0 and self._count < late * LEAST_RATE:
            raise SlowPeer(f"the body came at less than {LEAST_RATE} bytes a second")
