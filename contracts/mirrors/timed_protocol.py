"""A server's connections: one on which nothing moves ends, and nobody holds them all.

uvicorn waits for ever for a request's first lines, and for a client that does not read its answer. Here both end after
ten seconds, and at once where another client needs the place (contracts/mirrors/crowding.py). A body is
timed by its reader (contracts/mirrors/arrival.py), which can say why it ends.
"""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from contracts.mirrors.crowding import leaving, network_of
from contracts.mirrors.peer import IDLE_SECONDS

TICK_SECONDS = 1.0
HEADER_BYTES = 16 * 1024
STALLED_SECONDS = 2.0
"""A client that took none of its answer for so long is waited for."""


class TimedProtocol(H11Protocol):
    """A connection that is cut when its request's head, or the reading of its answer, takes too long."""

    idle_seconds = IDLE_SECONDS
    of_network: int | None = None
    """Connections of one address; 0 for any number, None for what crowding says."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count; of too many connections one that hardly moves is cut."""
        self.network = _network(transport)
        self._leaves = False
        self._made = self._since = self.loop.time()
        self._unsent = 0
        self._came = 0
        self._was_busy = False
        super().connection_made(transport)
        self._tick = self.loop.call_later(TICK_SECONDS, self._look)
        guests = [guest for guest in self.connections if isinstance(guest, TimedProtocol) and guest is not self]
        leaver = leaving(self, [guest for guest in guests if not guest._leaves], self.of_network)
        if leaver is not None:
            leaver.leave()

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        self._came += len(data)
        super().data_received(data)

    @property
    def age(self) -> float:
        """Seconds since the connection was made."""
        return self.loop.time() - self._made

    @property
    def speed(self) -> float:
        """Bytes a second that came until now; the first second counts whole."""
        return self._came / (self.age + 1)

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: to send a request or the rest of its body, or to read its answer."""
        if self.cycle is None or self.cycle.response_complete or self.conn.their_state is h11.SEND_BODY:
            return True
        stalled = self.loop.time() - self._since >= STALLED_SECONDS
        return stalled and self.transport.get_write_buffer_size() > 0

    def leave(self) -> None:
        """Make room for another."""
        self._leaves = True
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """A request that is no HTTP is refused in the form of every other refusal."""
        refusal = {"type": "urn:commonweight:malformed-request", "title": "malformed request", "status": 400}
        body = json.dumps({**refusal, "code": "malformed-request", "detail": msg}).encode()
        length = str(len(body))
        kind = "application/problem+json"
        headers = [("Content-Type", kind), ("Content-Length", length), ("Connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        self._tick.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Something moved: the head of a request came to its end, or the client took bytes of the answer."""
        unsent = self.transport.get_write_buffer_size()
        busy = self.cycle is not None and not self.cycle.response_complete
        if (busy and not unsent) or busy != self._was_busy or unsent < self._unsent:
            self._since = self.loop.time()
        self._unsent = unsent
        self._was_busy = busy
        if self.loop.time() - self._since >= self.idle_seconds:
            self.transport.abort()
            return
        self._tick = self.loop.call_later(TICK_SECONDS, self._look)


def _network(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return network_of(str(peer[0])) if isinstance(peer, tuple) else ""
