"""Waiting for news: one watcher reads the log's size when something was committed, and wakes every waiting request when
it has grown."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter, Query, Request

from contracts.process.outage import GRACE_SECONDS, Outage, Troubles
from contracts.wire.log import LogSize
from ledger.books import log
from ledger.context import Ledger
from ledger.errors import DatabaseUnreachable, LedgerBusy

router = APIRouter()
logger = logging.getLogger(__name__)
WATCH_SECONDS = 3.0
"""Between two looks without any notice: within this time a database that is away is noticed."""
GATHER_SECONDS = 0.02
"""In which further commits are waited for: many writers cost one look."""
LONGEST_WAIT = 30.0


class LogGrowth:
    """The log's size as last read. `watch` runs in a thread beside the server, of which nobody waits for the end: a
    database that is silent keeps no server from ending."""

    def __init__(
        self, ledger: Ledger, say: Callable[[str], None] = lambda _line: None, grace: float = GRACE_SECONDS
    ) -> None:
        """`say` takes a line where the database is away for longer than `grace` seconds, and where it is back."""
        self._ledger, self._size, self._grown = ledger, 0, asyncio.Condition()
        self._database, self._troubles = Outage("the database", say, grace), Troubles(logger.error)

    def watch(self, stop: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        """Read the size after each commit, of this process or another one. While the database does not answer, nobody
        is woken, and it is asked on."""
        with self._ledger.store.changes.watched() as changes:
            while not stop.is_set():
                seen = changes.count
                size = self._read()
                if size is not None and size != self._size:
                    self._tell(size, loop)
                if changes.wait(seen, WATCH_SECONDS, stop):
                    stop.wait(GATHER_SECONDS)

    def _tell(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        wake = self._wake(size)
        try:
            asyncio.run_coroutine_threadsafe(wake, loop)
        except RuntimeError:  # the server has ended meanwhile
            wake.close()

    async def _wake(self, size: int) -> None:
        async with self._grown:
            self._size = size
            self._grown.notify_all()

    async def above(self, size: int, seconds: float) -> int:
        """The log's size, as soon as it is above `size` or `seconds` have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(lambda: self._size > size)
        return self._size

    def _read(self) -> int | None:
        """None while the database does not answer."""
        try:
            with self._ledger.store.read() as session:
                size = log.size(session)
        except (DatabaseUnreachable, LedgerBusy) as error:
            self._database.failed(error.detail)
            return None
        except Exception as error:
            self._troubles.failed("the log's size", f"{error!r}; trying again")
            return None
        self._database.ended()
        self._troubles.ended("the log's size")
        return size


@router.get("/log/size")
async def log_size(
    request: Request, above: int = Query(-1, ge=-1), wait: float = Query(0.0, ge=0, le=LONGEST_WAIT)
) -> LogSize:
    """Entries in the log; with `above` and `wait`, answers when there are more or the seconds have passed."""
    growth: LogGrowth = request.app.state.growth
    return LogSize(size=await growth.above(above, wait))
