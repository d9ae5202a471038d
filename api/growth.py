"""Waiting for news: one watcher reads the log's size, and every waiting request is woken when it grows."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi import APIRouter, Query, Request

from ledger import log
from ledger.service import Ledger

router = APIRouter()
WATCH_SECONDS = 0.15
LONGEST_WAIT = 30.0


class LogGrowth:
    """The log's size as last read; `watch` runs beside the server until it is cancelled."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._size, self._grown = ledger, 0, asyncio.Condition()

    async def watch(self) -> None:
        """Read the size again and again; the database is asked, since another process may write too."""
        while True:
            size = await asyncio.to_thread(self._read)
            if size != self._size:
                async with self._grown:
                    self._size = size
                    self._grown.notify_all()
            await asyncio.sleep(WATCH_SECONDS)

    async def above(self, size: int, seconds: float) -> int:
        """The log's size, as soon as it is above `size` or `seconds` have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(lambda: self._size > size)
        return self._size

    def _read(self) -> int:
        with self._ledger.store.read() as session:
            return log.size(session)


@router.get("/log/size")
async def log_size(
    request: Request, above: int = Query(-1, ge=-1), wait: float = Query(0.0, ge=0, le=LONGEST_WAIT)
) -> dict[str, int]:
    """Entries in the log; with `above` and `wait`, answers when there are more or the seconds have passed."""
    growth: LogGrowth = request.app.state.growth
    return {"size": await growth.above(above, wait)}
