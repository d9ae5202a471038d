"""Many writers, one transaction: facts that wait while a turn is taken are entered together, in the next one.

    writer ── checks without a turn ──▶ queue ──▶ the next free thread enters all waiting facts ──▶ one commit
                                                                                  then each writer has its answer

As the sequencers of transparency logs do (Trillian, Tessera). A fact that the machine refuses is refused alone. Where
another error occurs, nothing of the batch was written, and each fact of it is tried by itself. A batch in which all are
refused or in the log already commits nothing, and wakes nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from contracts.files.whole_file import DiskFull
from ledger.crash_points import reach
from ledger.errors import DatabaseUnreachable, LedgerBusy
from ledger.machine.replica import Entered, PreparedFact, Replica
from ledger.storage.database import WAIT_SECONDS
from ledger.storage.store import Store

MOST = 64
"""Facts that one transaction enters, so that a turn stays short."""
LATELY = 4_096
"""Messages whose digests are remembered: senders bring theirs again and again."""
HOPELESS = (LedgerBusy, DatabaseUnreachable, DiskFull)
"""Errors that would meet each fact of a batch alike."""
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Waiting:
    """A fact in the queue, and its result."""

    fact: PreparedFact
    result: Entered | Exception | None = None


class Sequencer:
    """The queue of one process. Threads share it."""

    def __init__(self, store: Store, judge: Replica, most: int = MOST, wait: float = WAIT_SECONDS) -> None:
        self._store = store
        self._judge = judge
        self._most = most
        self._wait = wait
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._entering = False
        self._lately: OrderedDict[str, None] = OrderedDict()

    def entered_lately(self, name: str) -> bool:
        """Whether this process has entered a message of that digest not long ago: sent again the message needs no turn,
        as the database can be asked."""
        return name in self._lately

    def enter(self, fact: PreparedFact) -> Entered:
        """Enter a message and all that follows, and answer when it is committed.

        Raises Refused, LedgerBusy where its turn does not come in time, and what the transaction raises.
        """
        mine = _Waiting(fact)
        with self._changed:
            self._queue.append(mine)
        while (batch := self._turn(mine)) is not None:
            try:
                self._enter(batch)
            finally:
                self._end_turn(batch)
            self._look()
        if isinstance(mine.result, Exception):
            raise mine.result
        assert mine.result is not None, "the thread that took the fact gave its result"
        return mine.result

    def _turn(self, mine: _Waiting) -> list[_Waiting] | None:
        """The facts that this thread has to enter now; None where another one entered its fact. Raises LedgerBusy."""
        end = time.monotonic() + self._wait
        with self._changed:
            while mine.result is None and self._entering:
                queued = mine in self._queue
                left = end - time.monotonic()
                if queued and left <= 0:
                    self._queue.remove(mine)
                    raise LedgerBusy("too many writers at once; send it again")
                self._changed.wait(left if queued else None)  # the thread that has taken it gives its result
            if mine.result is not None:
                return None
            self._entering = True
            return [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]

    def _end_turn(self, batch: list[_Waiting]) -> None:
        """End the turn. Facts without a result fail, so that no writer waits for a thread that has ended."""
        with self._changed:
            _fail(batch, LedgerBusy("the server ends; send it again"))
            self._entering = False
            self._changed.notify_all()

    def _look(self) -> None:
        """Bring the machine of the readers on, where none of them has for long. An error is left to the next reader:
        the fact is in the log, and its writer has its answer."""
        if not self._judge.is_behind:
            return
        try:
            with self._store.read() as session, self._judge.view(session):
                pass
        except Exception as error:
            logger.warning("the readers' machine was not brought on: %s", error)

    def _enter(self, batch: list[_Waiting]) -> None:
        """Enter all facts in one transaction, or each in one of its own, as long as another try may help."""
        try:
            self._commit(batch)
        except HOPELESS as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            self._enter_each(batch)

    def _enter_each(self, batch: list[_Waiting]) -> None:
        for waiting in batch:
            self._enter([waiting])
            if isinstance(waiting.result, HOPELESS):
                _fail(batch, waiting.result)
                return

    def _commit(self, batch: list[_Waiting]) -> None:
        with self._store.write() as session:
            results = self._judge.enter_many(session, [waiting.fact for waiting in batch])
            reach("sequencer.entered")
        for waiting, result in zip(batch, results, strict=True):
            waiting.result = result
            if waiting.fact.name is not None and isinstance(result, Entered):
                self._lately[waiting.fact.name] = None
        while len(self._lately) > LATELY:
            self._lately.popitem(last=False)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    """Give the error to the facts that have no result yet."""
    for waiting in batch:
        if waiting.result is None:
            waiting.result = error
