"""Calls that may take longer than a look: each goes on beside the looks, and at most one is made to each name.

An answer counts at the look at which it came, if the call began at that look or the one before: an older answer says
nothing of now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Call(Generic[T]):
    task: asyncio.Task[T]
    look: int


class Calls(Generic[T]):
    """Calls by name, on one event loop. Their coroutines raise nothing."""

    def __init__(self) -> None:
        self._look = 0
        self._calls: dict[str, _Call[T]] = {}
        self._came: dict[str, tuple[int, T]] = {}

    def next_look(self) -> None:
        """A look begins: answers since the last one are collected."""
        self._look += 1
        self._came = {}
        for name in list(self._calls):
            self._collect(name)

    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> bool:
        """Call, unless the last call to it has not ended; returns whether a call was made."""
        if name in self._calls:
            return False
        self._calls[name] = _Call(asyncio.create_task(work()), self._look)
        return True

    async def wait(self, names: Collection[str], seconds: float, for_one: bool = False) -> None:
        """Until the calls under these names have ended, one of them (`for_one`) or all, or the seconds are over."""
        tasks = [self._calls[name].task for name in names if name in self._calls]
        if tasks:
            until = asyncio.FIRST_COMPLETED if for_one else asyncio.ALL_COMPLETED
            await asyncio.wait(tasks, timeout=max(0.0, seconds), return_when=until)
        for name in names:
            self._collect(name)

    def is_under_way(self, name: str) -> bool:
        """Whether the call under a name has not ended yet."""
        self._collect(name)
        return name in self._calls

    def fresh(self, name: str) -> T | None:
        """The answer that came at this look to a recent call; None without one."""
        self._collect(name)
        look, answer = self._came.get(name, (0, None))
        return answer if look >= self._look - 1 else None

    def late(self, name: str) -> T | None:
        """The answer that came at this look, however old its call is."""
        return self._came[name][1] if name in self._came else None

    def _collect(self, name: str) -> None:
        call = self._calls.get(name)
        if call is not None and call.task.done():
            del self._calls[name]
            self._came[name] = (call.look, call.task.result())
