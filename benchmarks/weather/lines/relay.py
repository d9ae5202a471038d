"""The relay between two parties: it listens where one of them thinks that the other is, and lets weather through.

Lines of HTTP are read request by request, so that a kept connection meets what comes over it; all others are bytes.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.weather.lines.answers import answer, bad_gateway
from benchmarks.weather.lines.callers import caller
from benchmarks.weather.lines.gusts import Gust
from benchmarks.weather.lines.sky import Sky
from contracts.mirrors.loop import EventThread

SLOW_RATE = 23_000
"""Bytes a second: a telephone line of the year 2000, or a phone in a train."""
PIECE = SLOW_RATE // 10
LATE_SECONDS = 30.0
MOST_HEAD = 2**17
TICK = 0.1
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)

Target = tuple[str, int] | Path
"""Host and port, or a Unix socket."""


@dataclass(frozen=True)
class Listening:
    """One port of the relay. `client` is who alone comes there; empty where several do, whom the kernel tells apart."""

    server: str
    target: Target
    client: str = ""
    http: bool = True


class Relay:
    """All ports, on an event loop in a thread of its own. `groups` says which process group is whose."""

    def __init__(self, sky: Sky, groups: Callable[[], Mapping[str, int]]) -> None:
        self.sky, self.groups = sky, groups
        self._loop = EventThread("relay")
        self._open: set[_Connection] = set()
        self._servers: list[asyncio.Server] = []

    def listen(self, where: Listening, port: int = 0) -> int:
        """Begin to listen on loopback; returns the port."""
        return self._loop.call(self._listen(where, port))

    def begin(self, gust: Gust) -> None:
        """A gust is over its line; of those that break connections it takes what stands on a plain line."""
        self.sky.begin(gust)
        if gust.kind in ("reset", "refused"):
            self._loop.soon(self._break, gust)

    def close(self) -> None:
        """End everything."""
        self._loop.call(self._close())
        self._loop.close()

    async def _listen(self, where: Listening, port: int) -> int:
        server = await asyncio.start_server(partial(self._serve, where), "127.0.0.1", port, limit=MOST_HEAD)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, where: Listening, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, where, reader, writer)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    def _break(self, gust: Gust) -> None:
        for connection in list(self._open):
            if not connection.where.http and connection.line == gust.where and not gust.amount:
                self.sky.met[gust.kind] += 1
                connection.abort()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)


class _Ended(Exception):
    """The weather ended this connection."""


class _Connection:
    """One client's connection, and the one to the server behind it."""

    def __init__(
        self, relay: Relay, where: Listening, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay, self._sky, self.where = relay, relay.sky, where
        self._reader, self._writer = reader, writer
        self._upstream: asyncio.StreamWriter | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self._client = where.client
        self._left: int | None = None
        """Bytes until the answer breaks off."""
        self._breaks = ""
        self._late: asyncio.Event | None = None

    @property
    def line(self) -> str:
        """Its name, as far as the client is known."""
        return f"{self._client}>{self.where.server}"

    def abort(self) -> None:
        """A reset, to both sides."""
        for writer in (self._writer, self._upstream):
            if writer is not None:
                _reset(writer)

    async def run(self) -> None:
        """Until one of the two, or the weather, ends it."""
        try:
            await self._knows_client()
            gust = self._sky.over(self.line)
            if gust is not None and gust.kind == "refused":
                self._sky.met[gust.kind] += 1
                self.abort()
                return
            await (self._web() if self.where.http else self._plain())
        except (_Ended, OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            self._end()

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    async def _web(self) -> None:
        while (request := await _request(self._reader)) is not None:
            await self._knows_client()
            gust = self._sky.over(self.line)
            if gust is not None:
                self._sky.met[gust.kind] += 1
                await self._meets(gust, request)
            else:
                await self._forward(request)

    async def _meets(self, gust: Gust, request: bytes) -> None:
        """Raises _Ended where the connection ends with it."""
        said = answer(gust)
        if gust.kind == "502-late":
            await self._done_and_lost(request)
        if said is not None:
            await self._say(said)
        if gust.kind == "empty":
            raise _Ended
        if gust.kind == "refused":
            self.abort()
            raise _Ended
        if gust.kind in ("cut", "reset"):
            self._left, self._breaks = int(gust.amount), gust.kind
        if gust.kind == "delay":
            await asyncio.sleep(gust.amount)
        await self._held_up()
        await self._forward(request)

    async def _done_and_lost(self, request: bytes) -> None:
        """The server does what it is asked for, and nobody hears of it."""
        self._late = asyncio.Event()
        await self._forward(request)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._late.wait(), LATE_SECONDS)

    async def _forward(self, request: bytes) -> None:
        if self._upstream is None:
            try:
                await self._reach()
            except OSError:
                await self._say(bad_gateway())
        assert self._upstream is not None, "it was reached, or the connection ended"
        await self._paced(self._upstream, request)

    async def _say(self, said: bytes) -> None:
        self._writer.write(said)
        await self._writer.drain()
        raise _Ended

    # -- bytes --------------------------------------------------------------------------------------------------------

    async def _plain(self) -> None:
        gust = self._sky.over(self.line)
        if gust is not None and gust.kind in ("cut", "reset"):
            self._sky.met[gust.kind] += 1
            self._left, self._breaks = int(gust.amount), gust.kind
        await self._reach()
        assert self._upstream is not None, "it was reached"
        while data := await self._reader.read(2**16):
            await self._held_up()
            await self._paced(self._upstream, data)

    async def _reach(self) -> None:
        """Raises OSError where nobody listens."""
        target = self.where.target
        if isinstance(target, Path):
            reader, self._upstream = await asyncio.open_unix_connection(target)
        else:
            reader, self._upstream = await asyncio.open_connection(*target)
        self._pumps.append(asyncio.create_task(self._pump(reader)))

    async def _pump(self, reader: asyncio.StreamReader) -> None:
        with suppress(_Ended, OSError):
            await self._pass_on(reader)

    async def _pass_on(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(2**16):
            if self._late is not None:
                self._late.set()
                continue
            await self._held_up()
            await self._answered(data)
        if self._late is None:
            self._writer.close()

    async def _answered(self, data: bytes) -> None:
        """Bytes from the server, as far as they are let through. Raises _Ended."""
        let = data if self._left is None else data[: self._left]
        await self._paced(self._writer, let)
        if self._left is None:
            return
        self._left -= len(let)
        if self._left <= 0 or len(let) < len(data):
            _reset(self._writer) if self._breaks == "reset" else self._writer.close()
            raise _Ended

    # -- weather that holds up ----------------------------------------------------------------------------------------

    async def _held_up(self) -> None:
        """Silence is waited out; a plain line's delay is before each of its pieces."""
        gust = self._sky.over(self.line)
        if gust is None:
            return
        if not self.where.http and gust.kind in ("silence", "slow", "delay"):
            self._sky.met[gust.kind] += 1
        if gust.kind == "delay" and not self.where.http:
            await asyncio.sleep(gust.amount)
        while gust.kind == "silence" and self._sky.is_over(gust):
            await asyncio.sleep(TICK)

    async def _paced(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """All at once, or slowly while that is the weather."""
        at = 0
        while at < len(data):
            gust = self._sky.over(self.line)
            is_slow = gust is not None and gust.kind == "slow"
            piece = data[at : at + PIECE] if is_slow else data[at:]
            writer.write(piece)
            await writer.drain()
            at += len(piece)
            if is_slow:
                await asyncio.sleep(len(piece) / SLOW_RATE)

    # -- small parts --------------------------------------------------------------------------------------------------

    async def _knows_client(self) -> None:
        """Looked up only while there is weather on a way to this server: it takes the kernel's tables."""
        if self._client or not self._sky.troubles(self.where.server):
            return
        port = int(self._writer.get_extra_info("peername")[1])
        self._client = await asyncio.to_thread(caller, port, dict(self._relay.groups()))

    def _end(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        for writer in (self._writer, self._upstream):
            if writer is not None:
                writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    """A whole request, None at the end of the connection. Raises EOFError and LimitOverrunError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    if _CHUNKED.search(head):
        return head + await _chunks(reader)
    length = _LENGTH.search(head)
    return head + await reader.readexactly(int(length[1])) if length else head


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks, up to the empty one."""
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        data = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        body += size + data
        if len(data) == 2:
            return body


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with RST instead of FIN."""
    found = writer.get_extra_info("socket")
    with suppress(OSError):
        if found is not None and found.family != socket.AF_UNIX:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
