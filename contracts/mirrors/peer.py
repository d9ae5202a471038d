"""Another mirror, or the server, as one that may lie: every answer is bounded in bytes and in time, none is followed.

A connection goes to the address that was checked, and is kept only where that is asked for. No redirect, no proxy, no
cookie and no compression is taken; the whole of a call has an end besides the ten seconds in which a byte must come.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from contracts.errors import CommonweightError
from contracts.mirrors.urls import Resolve, find, system_resolve
from contracts.process.clock_watch import since_boot
from contracts.wire.answers import retry_after

IDLE_SECONDS = 10.0
CALL_SECONDS = 30.0
ERROR_BYTES = 4096
"""Bytes that are read of a refusal."""

Sink = Callable[[bytes], None]


class PeerUnreachable(CommonweightError):
    """A mirror that does not answer, in time or at all, or fails."""

    code = "mirror-unreachable"
    status = 502

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds until it wants to be asked again, where it said so."""
        super().__init__(detail)
        self.retry_after = retry_after


class PeerMisbehaved(CommonweightError):
    """A mirror that answers what no mirror answers: other bytes, too many, a redirect, another form."""

    code = "mirror-misbehaved"
    status = 502


@dataclass(frozen=True)
class Limits:
    """Seconds without a byte, and seconds of a whole call."""

    idle: float = IDLE_SECONDS
    call: float = CALL_SECONDS


@dataclass(frozen=True)
class Reply:
    """A status of 200 to 499 but those of redirects, the body, its media type, and the seconds of Retry-After."""

    status: int
    body: bytes
    media_type: str = ""
    retry_after: float | None = None

    def require(self) -> bytes:
        """The body. Raises PeerUnreachable for a refusal."""
        if self.status >= 300:
            raise PeerUnreachable(f"answered {self.status}")
        return self.body


class Peer:
    """One address, of any machine where its user has `chosen` it (the server), else of a public one. A caller that
    `keeps` its connection makes all calls from one event loop.

    Raises PeerUnreachable and PeerMisbehaved, and nothing else but InvalidMirrorAddress.
    """

    def __init__(
        self,
        url: str,
        loopback: bool,
        limits: Limits | None = None,
        resolve: Resolve = system_resolve,
        chosen: bool = False,
        keeps: bool = False,
    ) -> None:
        self.url = url
        self._loopback = loopback
        self._resolve = resolve
        self._chosen = chosen
        self._keeps = keeps
        self._limits = limits or Limits()
        self._kept: httpx.AsyncClient | None = None
        self._ahead: float | None = None

    def clock(self) -> float | None:
        """The peer's clock now, in Unix seconds: its last `Date`, and what has passed since. None before an answer."""
        return None if self._ahead is None else since_boot() + self._ahead

    async def close(self) -> None:
        """Let a kept connection go."""
        if self._kept is not None:
            await self._kept.aclose()
            self._kept = None

    async def get(self, path: str, most: int, seconds: float | None = None) -> Reply:
        """At most `most` bytes, in as many seconds (the limit of a call, without)."""
        return await self._call("GET", path, most, None, seconds)

    async def post(self, path: str, body: bytes, most: int, headers: Mapping[str, str] | None = None) -> Reply:
        """Send bytes, and read the answer."""
        return await self._call("POST", path, most, body, None, headers)

    async def put(self, path: str, body: bytes, seconds: float, headers: Mapping[str, str]) -> Reply:
        """Send a blob under its ticket, in as many seconds."""
        return await self._call("PUT", path, ERROR_BYTES, body, seconds, headers)

    async def read(self, path: str, sink: Sink, seconds: float) -> int:
        """Hand the bytes of a blob on as they come; the sink bounds them. Returns the status; a refusal has no bytes.

        Raises what the sink raises.
        """
        async with self._answer("GET", path, None, seconds) as answer:
            if answer.status_code == 200:
                async for chunk in answer.aiter_raw():
                    sink(chunk)
            return answer.status_code

    async def _call(
        self,
        method: str,
        path: str,
        most: int,
        body: bytes | None,
        seconds: float | None,
        more: Mapping[str, str] | None = None,
    ) -> Reply:
        async with self._answer(method, path, body, seconds or self._limits.call, more) as answer:
            most = most if answer.status_code < 300 else ERROR_BYTES
            data = bytearray()
            async for chunk in answer.aiter_raw():
                data += chunk
                if len(data) > most:
                    raise PeerMisbehaved(f"sent more than {most} bytes")
            headers = answer.headers
            return Reply(
                answer.status_code,
                bytes(data),
                headers.get("Content-Type", ""),
                retry_after(headers.get("Retry-After")),
            )

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: bytes | None, seconds: float, more: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        try:
            async with asyncio.timeout(seconds):
                target = await find(self.url, self._loopback, self._resolve, self._chosen)
                async with self._client() as client:
                    host = {"Host": target.host_header(), **(more or {})}
                    sni = {"sni_hostname": target.url.host}
                    request = client.build_request(
                        method, target.base() + path, content=body, headers=host, extensions=sni
                    )
                    answer = await client.send(request, stream=True)
                    self._note(answer.headers.get("Date"))
                    try:
                        _check(answer)
                        yield answer
                    finally:
                        await answer.aclose()
        except TimeoutError:
            raise PeerUnreachable(f"did not answer within {seconds:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            raise PeerUnreachable(f"cannot be reached, or broke off: {type(error).__name__}") from None

    def _note(self, date: str | None) -> None:
        try:
            self._ahead = parsedate_to_datetime(date).timestamp() - since_boot() if date else self._ahead
        except (ValueError, OverflowError, OSError):
            return  # no date

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._keeps:
            self._kept = self._kept or self._made({})
            self._kept.cookies.clear()
            yield self._kept
            return
        async with self._made({"Connection": "close"}) as client:
            yield client

    def _made(self, headers: dict[str, str]) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers={"Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(self._limits.idle),
            verify=_tls(),
            follow_redirects=False,
            trust_env=False,
        )


@cache
def _tls() -> ssl.SSLContext:
    """Reading the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


def _check(answer: httpx.Response) -> None:
    if 300 <= answer.status_code < 400:
        raise PeerMisbehaved(f"sent a redirect ({answer.status_code})")
    if answer.status_code >= 500:
        raise PeerUnreachable(f"failed ({answer.status_code})", retry_after(answer.headers.get("Retry-After")))
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise PeerMisbehaved("sent compressed bytes that nobody asked for")
