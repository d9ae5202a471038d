"""An event loop in a thread of its own: work goes on in it while its caller does something else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from contracts.mirrors.peer import PeerUnreachable

T = TypeVar("T")


class EventThread:
    """One loop, from its making to `close`. Coroutines that wait in threads share `threads` of them."""

    def __init__(self, name: str, threads: int = 32) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(threads, name))
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self._closing = False

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work, from another thread. Raises what it raises, and PeerUnreachable where the loop ends before."""
        if self._closing:
            work.close()
            raise PeerUnreachable("this process ends")
        return self._call(work)

    def soon(self, do: Callable[..., object], *values: Any) -> None:
        """Have the loop do something, and wait for nothing; it does nothing any more once it ends."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(do, *values)

    def close(self) -> None:
        """End all that is under way. A second time does nothing."""
        if self._closing:
            return
        self._closing = True
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # it was closed
            work.close()
            raise PeerUnreachable("this process ends") from None
        try:
            return future.result()
        except CancelledError:
            raise PeerUnreachable("this process ends") from None

    async def _end(self) -> None:
        """Cancel all tasks, also those that begin while the loop ends."""
        await _cancel_others()
        await self._loop.shutdown_default_executor()
        await _cancel_others()


async def _cancel_others() -> None:
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
