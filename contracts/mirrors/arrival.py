"""A request's body as it arrives: never waited for without an end, measured, and ended where its place is given away.

A byte must come within ten seconds, the first one within five; after these the body has to come at a least rate on
average, so that a byte now and then holds nothing up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from contracts.mirrors.peer import IDLE_SECONDS

BEGIN_SECONDS = 5.0
LEAST_RATE = 4096
"""Bytes a second of a body that takes longer than IDLE_SECONDS, on average."""

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""An ASGI application's next message."""


class TooSlow(Exception):
    """A body that does not come, or hardly comes."""


class NoPlace(Exception):
    """As many bodies come in as are taken at once, and this one is not among them, or is no longer."""


class Arrival:
    """One body. It may take `idle` seconds at no rate, `seconds` in all, and has to come at `least_rate`."""

    def __init__(
        self, receive: Receive, least_rate: int = LEAST_RATE, idle: float = IDLE_SECONDS, seconds: float | None = None
    ) -> None:
        self._receive = receive
        self._least_rate = least_rate
        self._idle = idle
        self._seconds = seconds
        self._begun = time.monotonic()
        self._ended = False
        self._waits: asyncio.Future[MutableMapping[str, Any]] | None = None
        self.count = 0

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    @property
    def speed(self) -> float:
        """Bytes a second until now; the first second counts whole."""
        return self.count / (self.age + 1)

    def end(self) -> None:
        """Give its place away: a reader of its next bytes meets NoPlace. Called from its event loop."""
        self._ended = True
        if self._waits is not None:
            self._waits.cancel()

    async def next(self) -> MutableMapping[str, Any]:
        """The next message of the client. Raises TooSlow and NoPlace."""
        if self._ended:
            raise NoPlace("another upload needs this one's place")
        message = await self._message()
        self.count += len(message.get("body", b""))
        self._check()
        return message

    async def _message(self) -> MutableMapping[str, Any]:
        seconds = self._idle if self.count else min(BEGIN_SECONDS, self._idle)
        self._waits = asyncio.ensure_future(self._receive())
        try:
            async with asyncio.timeout(seconds):
                return await self._waits
        except TimeoutError:
            raise TooSlow(f"no byte came for {seconds:g} seconds") from None
        except asyncio.CancelledError:
            if not self._ended:
                raise
            raise NoPlace("another upload needs this one's place") from None
        finally:
            self._waits = None

    def _check(self) -> None:
        if self._seconds is not None and self.age > self._seconds:
            raise TooSlow(f"the body took more than {self._seconds:g} seconds")
        overtime = self.age - self._idle
        if overtime > 0 and self.count < overtime * self._least_rate:
            raise TooSlow(f"the body came at less than {self._least_rate} bytes a second")
