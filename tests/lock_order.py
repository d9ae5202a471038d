"""The order in which threads take this project's locks: two that are taken in both orders can wait for each other.

Such a wait is rare, and ends a process without a word; the order itself shows at the first time that each was taken
while the other one was held. So it is written down, by the line that makes a lock, and a circle in it fails the test.
"""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

PACKAGES = ("api", "commonweight", "contracts", "ledger", "trainer", "verifier")


class Orders:
    """Who was waited for while what was held."""

    def __init__(self) -> None:
        self.after: defaultdict[str, set[str]] = defaultdict(set)
        self._held = threading.local()

    def taking(self, lock: Watched) -> None:
        """A thread is about to wait for a lock."""
        held = self.held()
        if lock not in held:
            for other in held:
                self.after[other.name].add(lock.name)

    def held(self) -> list[Watched]:
        """By this thread, each as often as it took it."""
        if not hasattr(self._held, "locks"):
            self._held.locks = []
        found: list[Watched] = self._held.locks
        return found

    def circle(self) -> list[str]:
        """Locks of which each was waited for while the one before was held, the first after the last; or none."""
        after = {name: set(others) for name, others in list(self.after.items())}
        return next((found for name in sorted(after) if (found := _way_back(after, name))), [])


class Watched:
    """A lock that tells in which order it is taken."""

    def __init__(self, lock: Any, name: str, orders: Orders) -> None:
        self._lock, self.name, self._orders = lock, name, orders

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As the lock's own."""
        if blocking:
            self._orders.taking(self)
        taken = bool(self._lock.acquire(blocking, timeout))
        if taken:
            self._orders.held().append(self)
        return taken

    def release(self) -> None:
        """As the lock's own."""
        self._lock.release()
        held = self._orders.held()
        if self in held:
            held.remove(self)

    def locked(self) -> bool:
        """As the lock's own."""
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()


@contextmanager
def watched_locks() -> Iterator[Orders]:
    """Every lock that this project makes meanwhile is watched; at the end there must be no circle."""
    orders = Orders()
    with (
        patch.object(threading, "Lock", _watching(threading.Lock, orders)),
        patch.object(threading, "RLock", _watching(threading.RLock, orders)),
    ):
        yield orders
    found = orders.circle()
    assert not found, "each lock was waited for while the one before it was held:\n" + "\n".join(found)


def elsewhere(call: Callable[[], object]) -> bool:
    """Whether another thread can make this call now, while the caller holds what it holds."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(timeout=10)
    return not thread.is_alive()


def _watching(make: Callable[[], Any], orders: Orders) -> Callable[[], Any]:
    def made() -> Any:
        caller = sys._getframe(1)
        module = str(caller.f_globals.get("__name__"))
        if module.partition(".")[0] not in PACKAGES:
            return make()
        return Watched(make(), f"{module}:{caller.f_lineno} {make.__name__}", orders)

    return made


def _way_back(after: dict[str, set[str]], start: str) -> list[str]:
    """A way from a lock to itself."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for name in sorted(after.get(way[-1], ())):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
