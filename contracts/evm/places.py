"""How many requests to a chain may be under way: where none is answered, further ones are sent away at once.

A node that takes requests and is silent would hold every thread of a server else, also those of requests that need no
chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

from contracts.evm.errors import ChainUnavailable

MOST_AT_ONCE = 16
STALLED_SECONDS = 5.0
"""Seconds without any answer after which a request that finds no place is sent away."""


class Places:
    """The places of requests to one chain. Threads share it."""

    def __init__(
        self,
        most: int = MOST_AT_ONCE,
        stalled: float = STALLED_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._free = most
        self._stalled = stalled
        self._clock = clock
        self._changed, self._moved = Condition(), clock()
        self.closed = Event()
        """Set when no place is given any more."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place for one request, which moves things on unless it raises. Raises ChainUnavailable without one."""
        with self._changed:
            while self._free == 0 and not self.closed.is_set() and (seconds := self._left()) > 0:
                self._changed.wait(seconds)
            if self._free == 0 or self.closed.is_set():
                raise ChainUnavailable("the chain node does not answer; try again shortly")
            if self._free == self._most:  # nobody waited for anything until now
                self._moved = self._clock()
            self._free -= 1
        try:
            yield
            moved = self._clock()
        except BaseException:
            moved = self._moved
            raise
        finally:
            with self._changed:
                self._free, self._moved = self._free + 1, max(self._moved, moved)
                self._changed.notify()

    def _left(self) -> float:
        """Seconds until it is said that nothing moves."""
        return self._moved + self._stalled - self._clock()

    def close(self) -> None:
        """Give no place from now on."""
        with self._changed:
            self.closed.set()
            self._changed.notify_all()
