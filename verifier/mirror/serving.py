"""A mirror's server: uvicorn on one address, with an end to every connection on which nothing moves.

uvicorn waits for ever for a request's first lines, and for a client that does not read its answer. Here both end after
ten seconds. What comes in a body is timed by its reader (verifier/mirror/incoming.py), which can say why it ends.
"""

from __future__ import annotations

import asyncio

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from contracts.mirrors.peer import IDLE_SECONDS
from verifier.mirror.problems import problem

TICK_SECONDS = 1.0
HEADER_BYTES = 16 * 1024
CONNECTIONS = 512


class TimedProtocol(H11Protocol):
    """A connection that is cut when its request's head, or the reading of its answer, takes too long."""

    idle_seconds = IDLE_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count; one connection too many is cut at once."""
        super().connection_made(transport)
        self._unsent = 0
        self._since = self.loop.time()
        self._was_busy = False
        self._tick = self.loop.call_later(TICK_SECONDS, self._look)
        if len(self.connections) > CONNECTIONS:
            transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused in the form of every other refusal."""
        document = problem(400, "malformed-request", msg)
        headers = [(name.encode(), value.encode()) for name, value in document.headers.items()]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(document.body)),
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
        self._unsent, self._was_busy = unsent, busy
        if self.loop.time() - self._since >= self.idle_seconds:
            self.transport.abort()
            return
        self._tick = self.loop.call_later(TICK_SECONDS, self._look)


def mirror_server(app: ASGIApp, host: str, port: int, protocol: type[TimedProtocol] = TimedProtocol) -> uvicorn.Server:
    """A server that its owner runs (`run` in a thread, `should_exit` to end it). Port 0 is a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    return uvicorn.Server(config)


def port_of(server: uvicorn.Server) -> int:
    """The port of a server that has started."""
    return int(server.servers[0].sockets[0].getsockname()[1])
