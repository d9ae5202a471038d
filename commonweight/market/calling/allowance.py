"""What one question to a provider may take in all, with every page and every try: seconds and bytes.

Each answer is bounded by itself. A list of two hundred pages, each as large and as late as an answer may be, would
still fill this machine's memory, and leave a thread for hours: who cannot be ended goes on being paid.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from commonweight.market.errors import ProviderAway

MOST_BYTES = 64 * 2**20
"""Of all answers to one question: the whole market of a large provider has a third of it."""
T = TypeVar("T")


@dataclass
class Allowance:
    """Until when, by the clock that never goes back, and how many bytes more."""

    end: float
    room: int

    @property
    def left(self) -> float:
        """Seconds; not above 0 where there are none."""
        return self.end - time.monotonic()


_CURRENT: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allowed(seconds: float, most_bytes: int = MOST_BYTES) -> Iterator[None]:
    """All calls of the block together take no more, and raise ProviderAway then."""
    token = _CURRENT.set(Allowance(time.monotonic() + seconds, most_bytes))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def within(seconds: float, work: Callable[[], T]) -> T:
    """Work under an allowance."""
    with allowed(seconds):
        return work()


def seconds_left(most: float) -> float:
    """For the next call, `most` without an allowance; not above 0 where nothing is left."""
    current = _CURRENT.get()
    return most if current is None else min(most, current.left)


def take(count: int, whose: str) -> None:
    """So many bytes came. Raises ProviderAway where that is too much."""
    current = _CURRENT.get()
    if current is None:
        return
    current.room -= count
    if current.room < 0:
        raise ProviderAway(f"{whose} sends more than is read of one question", sent=True)


class Unpacking:
    """The bytes of a body as they come, unpacked in pieces: a short packed answer can have gigabytes, and one that is
    packed several times a thousand times as many. One `gzip` is asked for, and nothing else is taken."""

    ASKED = "gzip"

    def __init__(self, encoding: str, most: int, whose: str) -> None:
        """Raises ProviderAway for another encoding."""
        if encoding not in ("", "identity", self.ASKED):
            raise ProviderAway(f"{whose} answers packed as nobody asked", sent=True)
        self._inflate = zlib.decompressobj(wbits=31) if encoding == self.ASKED else None
        self._whose, self._most, self._count = whose, most, 0

    def __call__(self, chunk: bytes) -> bytes:
        """What the next bytes hold. Raises ProviderAway where all of it is too much, or cannot be unpacked."""
        room = self._most - self._count
        try:
            found = chunk if self._inflate is None else self._inflate.decompress(chunk, room + 1)
        except zlib.error:
            raise ProviderAway(f"{self._whose}'s answer cannot be unpacked", sent=True) from None
        self._count += len(found)
        if len(found) > room:
            raise ProviderAway(f"{self._whose} sends more than is read", sent=True)
        take(len(found), self._whose)
        return found
