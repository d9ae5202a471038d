"""Named points in the code that moves money, where a test can end, break or stop the process.

    COMMONWEIGHT_CRASH_POINT=outbox.signed:kill      SIGKILL where the bytes are committed and not yet sent
    COMMONWEIGHT_CRASH_POINT=outbox.sent:raise:3     an unforeseen error, the third time that the point is reached
    COMMONWEIGHT_CRASH_POINT=indexer.applied:hang    the process stands still there for good

Without the variable, which is set at the start of the process, a point costs one comparison. In a test, `armed`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

VARIABLE = "COMMONWEIGHT_CRASH_POINT"
POINTS: dict[str, str] = {
    "leases.taken": "a job has a new holder; it has done nothing yet",
    "claims.queued": "a claim's calls are in the outbox, their transaction not committed",
    "outbox.signing": "nonce and bytes are made, their transaction not committed",
    "outbox.signed": "nonce and bytes are committed, nothing is sent",
    "outbox.sending": "the lease was found to be ours, the bytes are not handed over",
    "outbox.sent": "the node has answered, nothing is noted",
    "outbox.mined": "a receipt was read, its transaction not committed",
    "outbox.returned": "a reorg took a block back, the call that is to be sent again is not committed",
    "outbox.final": "a block was found to be final, its transaction not committed",
    "outbox.replacing": "a transaction of the same nonce with a higher fee is made, not committed",
    "outbox.external": "an external transaction was found to have used a nonce, the requeued call not committed",
    "indexer.read": "events of a final range were read, no transaction has begun",
    "indexer.applied": "cursor, events and what follows from them are written, their transaction not committed",
    "indexer.followed": "events and cursor are committed",
    "indexer.tracking": "blocks of the chain's head were read, no transaction has begun",
    "judgement.applied": "the machine took a fact, nothing is written",
    "judgement.logged": "a fact and what follows stand in the log, nothing else is written, nothing committed",
    "judgement.booked": "log, books and rows are written, their transaction not committed",
    "sequencer.entered": "many writers' facts are written with all that follows, their transaction not committed",
    "blocks.read": "a final block was read, no transaction has begun",
    "indexer.rewound": "blocks that a reorg took back are deleted, their transaction not committed",
}


class Crashed(RuntimeError):
    """The unforeseen error of the action `raise`."""


_armed: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """The process is at `point`, one of POINTS."""
    if _armed is not None:
        _armed(point)


@contextmanager
def armed(point: str, action: Callable[[], None] | str, nth: int = 1) -> Iterator[None]:
    """Do `action` (kill, raise, hang, or a function) the `nth` time that a thread reaches `point`, or for 0 always."""
    global _armed
    before = _armed
    _armed = _watch(point, action, nth)
    try:
        yield
    finally:
        _armed = before


def _watch(point: str, action: Callable[[], None] | str, nth: int) -> Callable[[str], None]:
    if point not in POINTS:
        raise ValueError(f"{point} is no crash point; there are {', '.join(POINTS)}")
    act = _ACTIONS[action] if isinstance(action, str) else action
    left = [nth]

    def at(reached: str) -> None:
        if reached != point:
            return
        left[0] -= 1
        if left[0] == 0 or nth == 0:
            act()

    return at


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise Crashed("a crash point was told to raise")


def _hang() -> None:
    while True:
        time.sleep(3600)


_ACTIONS: dict[str, Callable[[], None]] = {"kill": _kill, "raise": _raise, "hang": _hang}


def _from_environment(text: str | None) -> Callable[[str], None] | None:
    if not text:
        return None
    point, action, nth = (*text.split(":"), "1")[:3]
    return _watch(point, action, int(nth))


_armed = _from_environment(os.environ.get(VARIABLE))
