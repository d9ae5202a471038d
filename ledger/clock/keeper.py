"""The keeper: blocks into the log, outbox, indexer, epochs and proposals, each step safe to repeat.

No rule goes by this server's clock: time is that of the blocks that are entered.

The steps are in three parts, which may run in one process or in three, and in any number of standby processes: the
holder of a part's lease does it (ledger/relay/leases.py). A pass is made when something happened or is due
(ledger/clock/pulse.py), and costs nothing in between.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from requests.exceptions import RequestException

from contracts.evm.errors import ChainAtFault, ChainUnavailable
from contracts.process.clock_watch import ClockWatch
from contracts.process.outage import Outage, Troubles
from ledger import faults
from ledger.chainread import indexer, reorgs
from ledger.clock.news import News
from ledger.clock.pulse import ChainHead, HeadTimer, KeeperPulse
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.errors import DatabaseUnreachable, LeaseLost, LedgerBusy
from ledger.governance import carrying_out, votes
from ledger.intake import blocks
from ledger.relay import leases, outbox
from ledger.relay.relayer_money import MoneyWatch

Step = Callable[[Ledger], None]
Result = TypeVar("Result")
STEPS: tuple[tuple[str, Step], ...] = (
    ("rounds", blocks.follow),
    ("settlement", outbox.flush),
    ("indexer", indexer.follow),
    ("indexer", votes.weigh),
    ("indexer", reorgs.track),
    ("settlement", settlement.settle),
    ("settlement", faults.settle),
    ("settlement", carrying_out.advance_proposals),
)
PARTS: tuple[str, ...] = ("rounds", "settlement", "indexer")
LAST_SECONDS = 10.0
"""For the step that is under way when the keeper is told to stop."""
logger = logging.getLogger(__name__)


class Outages:
    """Outages of chain and database, and failures of steps, in few log lines (contracts/process/outage.py)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = Outage("the chain node", logger.warning, clock=clock)
        self._database = Outage("the database", logger.warning, clock=clock)
        self._troubles = Troubles(logger.error, clock)
        self.troubles = 0
        """Failures so far, logged or not."""

    def guarded(self, do: Callable[[], Result], name: str) -> Result | None:
        """The result of `do`; None if it fails, which is reported. A status of 502, a page of a proxy and a cut answer
        are outages, and no fault of this process."""
        try:
            result = do()
        except Exception as error:
            self.troubles += 1
            self._report(error, name)
            return None
        self._troubles.ended(name)
        self._troubles.ended(f"{name} broke")
        return result

    def _report(self, error: Exception, name: str) -> None:
        if isinstance(error, RequestException):
            self._chain.failed(_why(error))
        elif isinstance(error, (DatabaseUnreachable, LedgerBusy)):
            self._database.failed(error.detail)
        elif isinstance(error, (ChainAtFault, LeaseLost)):
            self._troubles.failed(name, f"{error.code}: {error.detail}")
        elif self._troubles.failed(f"{name} broke", f"{error!r}; trying again"):
            # a name of its own: a lease that was lost a second before must not hide a bug
            logger.error("%s failed", name, exc_info=error)

    def chain_answers(self) -> None:
        """The chain gave its newest block."""
        self._chain.ended()

    def database_answers(self) -> None:
        """The database gave a lease, or its holder."""
        self._database.ended()


def step(ledger: Ledger) -> None:
    """Do all steps that are due now, once."""
    for _, do in STEPS:
        do(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3, only: Iterable[str] = PARTS) -> None:
    """Step when something is due until told to stop; an unreachable chain or database, or a broken part, is reported
    and tried again. `interval` is the least time between two passes, in seconds."""
    parts = tuple(only)
    with ledger.store.changes.watched() as changes:
        passes = _Passes(ledger, parts, KeeperPulse(changes, interval))
        while passes.rest(stop):
            passes.look(stop)
    for give_up in (*(partial(leases.give_up, ledger, _job(part)) for part in parts), partial(_give_up_signer, ledger)):
        passes.outages.guarded(give_up, "a lease")  # a lease ends by itself


class _Passes:
    """The passes of one process."""

    def __init__(self, ledger: Ledger, parts: tuple[str, ...], pulse: KeeperPulse) -> None:
        self._ledger = ledger
        self._parts = parts
        self._pulse = pulse
        self._head_timer = HeadTimer()
        self._mine: set[str] = set()
        self.outages = Outages()
        self._news = News()
        self._clock = ClockWatch(logger.warning, wall=ledger.now)
        self._money = MoneyWatch(logger.warning, time.monotonic)

    def rest(self, stop: threading.Event) -> bool:
        """Wait until there may be something to do; False where told to stop."""
        return self._pulse.rest(stop, min(self._head_timer.seconds, self._ledger.relay.lease_seconds / 4))

    def look(self, stop: threading.Event) -> None:
        """Look at the chain's head and at the leases, and make the pass that is due by them, or by the clock."""
        moved = self._head_moved()
        gained = self._take_parts()
        if moved or gained or self._pulse.is_due():
            self._pass(stop)

    def _head_moved(self) -> bool:
        """Whether the chain has another newest block. The steps that need the chain report that it does not answer."""
        try:
            head = watch_clock(self._ledger, self._clock)
        except Exception:
            self._head_timer.lost()
            self._pulse.again()
            return False
        self.outages.chain_answers()
        return self._head_timer.saw(head)

    def _take_parts(self) -> bool:
        """Keep this process's leases, or take them. Whether it has a new one."""
        before = self._mine
        self._mine = self.outages.guarded(self._leased, "leases") or set()
        return bool(self._mine - before)

    def _leased(self) -> set[str]:
        """The parts whose leases this process has now."""
        leased = leases.take_all(self._ledger, [_job(part) for part in self._parts])
        self.outages.database_answers()
        return {part for part in self._parts if _job(part) in leased}

    def _pass(self, stop: threading.Event) -> None:
        self._pulse.begun()
        troubles = self.outages.troubles
        ledger = self._ledger
        for part, do in STEPS:
            if part in self._mine and not stop.is_set():
                self.outages.guarded(partial(do, ledger), f"{do.__module__}.{do.__name__}")
        if "rounds" in self._mine:
            self.outages.guarded(partial(self._news.tell, ledger), "news")
        due_in = None
        if "settlement" in self._mine:
            self.outages.guarded(partial(self._money.look, ledger), "the relayer's balance")
            due_in = self.outages.guarded(partial(outbox.due_in, ledger), "the outbox")
        self._pulse.ended(self.outages.troubles > troubles, due_in)


def run_until(ledger: Ledger, stop: threading.Event, only: Iterable[str] = PARTS) -> None:
    """As `run`, in a thread of its own, which is left behind where database or chain block it at the end."""
    thread = threading.Thread(target=run, args=(ledger, stop), kwargs={"only": only}, name="keeper", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.wait(1.0):
        pass
    thread.join(LAST_SECONDS)


def watch_clock(ledger: Ledger, clock: ClockWatch) -> ChainHead:
    """Warn where this machine's clock is off by the chain's newest block, which is returned."""
    block = ledger.chain.w3.eth.get_block("latest")
    head = ChainHead(int(block["number"]), bytes(block["hash"]).hex(), int(block["timestamp"]))
    clock.block(head.time)
    return head


def _job(part: str) -> str:
    return f"keeper:{part}"


def _give_up_signer(ledger: Ledger) -> None:
    leases.give_up(ledger, outbox.job(ledger))


def _why(error: Exception) -> str:
    """An error in one line, without objects and addresses of memory."""
    cause = error.__cause__ if isinstance(error, ChainUnavailable) else error
    status = getattr(getattr(cause, "response", None), "status_code", None)
    return f"it answers {status}" if status is not None else type(cause).__name__
