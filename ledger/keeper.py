"""What moves time on: rounds, outbox, indexer, epochs and proposals, each step safe to repeat.

The steps are in three parts, which may run in one process or in three, and in as many spare ones beside as one likes:
a part is done by whoever has its lease (ledger/leases.py), the others stand by.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from requests.exceptions import ConnectionError as ChainUnreachable
from requests.exceptions import Timeout

from ledger import (
    absences,
    appeals,
    epochs,
    governance,
    indexer,
    leases,
    node_faults,
    outbox,
    panels,
    rounds,
    tip,
    work_audit,
)
from ledger.errors import LeaseLost
from ledger.judgement import blocks, faults
from ledger.judgement import settling as judged_epochs
from ledger.service import Ledger

Step = Callable[[Ledger], None]
STEPS: tuple[tuple[str, Step], ...] = (
    ("rounds", panels.seat_all),
    ("rounds", rounds.advance_all),
    ("settlement", outbox.flush),
    ("indexer", indexer.follow),
    ("indexer", tip.track),
    ("settlement", epochs.settle),
    ("settlement", governance.carry_out),
    ("rounds", work_audit.audit_decided),
    ("rounds", node_faults.list_due),
    ("rounds", appeals.lapse),
)
JUDGED_STEPS: tuple[tuple[str, Step], ...] = (
    ("rounds", blocks.follow),
    ("settlement", outbox.flush),
    ("indexer", indexer.follow),
    ("indexer", tip.track),
    ("settlement", judged_epochs.settle),
    ("settlement", faults.settle),
    ("settlement", governance.carry_out),
)
"""Of a ledger with a machine of rules: nothing else there goes by a clock."""
AWAY_SECONDS = 10
"""A longer time between two passes is one in which the server was stopped or asleep, or its clock was set."""
PARTS: tuple[str, ...] = ("rounds", "settlement", "indexer")
logger = logging.getLogger(__name__)


def steps_of(ledger: Ledger) -> tuple[tuple[str, Step], ...]:
    """What a ledger is to do, by the rules that it goes by."""
    return STEPS if ledger.replica is None else JUDGED_STEPS


def step(ledger: Ledger) -> None:
    """Everything that is due now, once."""
    for _, do in steps_of(ledger):
        do(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3, only: Iterable[str] = PARTS) -> None:
    """Step until told to stop; an unreachable chain or a broken part is reported and tried again.

    Who awaits others begins anew when the server comes back: at its start, and after a pass that came late.
    """
    parts, since = tuple(only), _Moment.of(ledger)
    back = ledger.replica is None
    while not stop.wait(interval):
        back = back or (ledger.replica is None and since.is_long_ago(ledger))
        began = _Moment.of(ledger)
        mine = {part for part in parts if _guarded(partial(leases.take, ledger, _job(part)), part)}
        if back and "rounds" in mine and _guarded(partial(absences.end, ledger), "absences"):
            back = False
        for part, do in steps_of(ledger):
            if part in mine:
                _guarded(partial(do, ledger), do.__module__)
        back = back or (ledger.replica is None and began.was_set(ledger))
        since = _Moment.of(ledger)
    for part in parts:
        leases.give_up(ledger, _job(part))
    leases.give_up(ledger, outbox.job(ledger))


@dataclass(frozen=True)
class _Moment:
    """By the wall clock, and by one that nobody sets and that stands while the machine sleeps."""

    wall: int
    steady: float

    @classmethod
    def of(cls, ledger: Ledger) -> _Moment:
        return cls(ledger.now(), time.monotonic())

    def is_long_ago(self, ledger: Ledger) -> bool:
        return abs(ledger.now() - self.wall) > AWAY_SECONDS

    def was_set(self, ledger: Ledger) -> bool:
        """Whether the wall clock went otherwise than the steady one since."""
        return abs(ledger.now() - self.wall - (time.monotonic() - self.steady)) > AWAY_SECONDS


def _job(part: str) -> str:
    return f"keeper:{part}"


def _guarded(do: Callable[[], object], name: str) -> object:
    """What `do` gives; None if it fails, which is reported."""
    try:
        return do()
    except (ChainUnreachable, Timeout):
        logger.warning("the chain does not answer; trying again")
    except LeaseLost as error:
        logger.warning("%s", error)
    except Exception:
        logger.exception("%s failed; trying again", name)
    return None
