"""The body of a request as a mirror reads it: bounded before it is read, and timed (contracts/mirrors/arrival.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio.from_thread
from starlette.requests import ClientDisconnect, Request

from contracts.mirrors.arrival import LEAST_RATE, Arrival, NoPlace, TooSlow
from contracts.mirrors.peer import IDLE_SECONDS
from contracts.tlog.mirror import Take
from verifier.mirror.errors import BodyTooLarge, MirrorBusy, SlowPeer


def announced_length(request: Request) -> int | None:
    """The length that the client announces, in bytes; None where it sends chunks of unknown number."""
    text = request.headers.get("content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


class Incoming:
    """The body of one request, at a least rate. With `most`, it has at most so many bytes, which are few and come soon;
    None: the reader bounds the body.

    Raises BodyTooLarge where the client announces more.
    """

    def __init__(self, request: Request, most: int | None, least_rate: int = LEAST_RATE) -> None:
        length = announced_length(request)
        if most is not None and length is not None and length > most:
            raise BodyTooLarge(f"the body has at most {most} bytes")
        seconds = None if most is None else IDLE_SECONDS
        self.arrival = Arrival(request.receive, least_rate, IDLE_SECONDS, seconds)
        self._most = most
        self._rest = b""
        self._ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises BodyTooLarge, SlowPeer, MirrorBusy and ClientDisconnect."""
        while not self._ended:
            chunk = await self._next()
            if chunk:
                yield chunk

    async def whole(self) -> bytes:
        """All of the body."""
        return b"".join([chunk async for chunk in self.chunks()])

    def take(self) -> Take:
        """A source for a reader in a thread of its own: the next bytes, as many as asked for, fewer only at the end."""
        return lambda count: anyio.from_thread.run(self._exactly, count)

    async def _exactly(self, count: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < count and not self._ended:
            parts.append(await self._next())
            have += len(parts[-1])
        data = b"".join(parts)
        self._rest = data[count:]
        return data[:count]

    async def _next(self) -> bytes:
        try:
            message = await self.arrival.next()
        except TooSlow as error:
            raise SlowPeer(str(error)) from None
        except NoPlace as error:
            raise MirrorBusy(f"{error}; try again shortly") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        self._ended = not message.get("more_body", False)
        if self._most is not None and self.arrival.count > self._most:
            raise BodyTooLarge(f"the body has at most {self._most} bytes")
        return chunk
