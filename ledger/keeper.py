"""What moves time on: blocks into the log, outbox, indexer, epochs and proposals, each step safe to repeat.

No rule goes by this server's clock: time is that of the blocks that are entered.

The steps are in three parts, which may run in one process or in three, and in as many spare ones beside as one likes:
a part is done by whoever has its lease (ledger/leases.py), the others stand by.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from requests.exceptions import RequestException

from contracts.clock_watch import ClockWatch
from contracts.evm.errors import ChainAtFault, ChainUnavailable
from contracts.outage import Outage, Troubles
from ledger import indexer, leases, outbox, tip
from ledger.errors import DatabaseUnreachable, LeaseLost, LedgerBusy
from ledger.governance import carrying_out, votes
from ledger.judgement import blocks, faults, settling
from ledger.news import News
from ledger.relayer_money import MoneyWatch
from ledger.service import Ledger

Step = Callable[[Ledger], None]
STEPS: tuple[tuple[str, Step], ...] = (
    ("rounds", blocks.follow),
    ("settlement", outbox.flush),
    ("indexer", indexer.follow),
    ("indexer", votes.weigh),
    ("indexer", tip.track),
    ("settlement", settling.settle),
    ("settlement", faults.settle),
    ("settlement", carrying_out.carry_out),
)
PARTS: tuple[str, ...] = ("rounds", "settlement", "indexer")
LAST_SECONDS = 10.0
"""For what is under way when it is told to stop."""
logger = logging.getLogger(__name__)


class Weather:
    """What chain and database let through, told in few lines (contracts/outage.py)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = Outage("the chain node", logger.warning, clock=clock)
        self._database = Outage("the database", logger.warning, clock=clock)
        self._troubles = Troubles(logger.error, clock)

    def guarded(self, do: Callable[[], object], name: str) -> object:
        """What `do` gives; None if it fails, which is reported: a status of 502, a page of a proxy and a cut answer are
        nobody's fault here."""
        try:
            found = do()
        except RequestException as error:
            self._chain.failed(_why(error))
        except (DatabaseUnreachable, LedgerBusy) as error:
            self._database.failed(error.detail)
        except (ChainAtFault, LeaseLost) as error:
            self._troubles.failed(name, f"{error.code}: {error.detail}")
        except Exception as error:
            # under a name of its own: a lease that was lost a second before must not hide a bug
            if self._troubles.failed(f"{name} broke", f"{error!r}; trying again"):
                logger.exception("%s failed", name)
        else:
            self._troubles.ended(name)
            self._troubles.ended(f"{name} broke")
            return found
        return None

    def chain_answers(self) -> None:
        """It gave its newest block."""
        self._chain.ended()

    def database_answers(self) -> None:
        """It gave a lease, or said whose it is."""
        self._database.ended()


def step(ledger: Ledger) -> None:
    """Everything that is due now, once."""
    for _, do in STEPS:
        do(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3, only: Iterable[str] = PARTS) -> None:
    """Step until told to stop; an unreachable chain or database, or a broken part, is reported and tried again."""
    parts, clock = tuple(only), ClockWatch(logger.warning, wall=ledger.now)
    weather, news, money = Weather(), News(), MoneyWatch(logger.warning, time.monotonic)
    while not stop.wait(interval):
        with suppress(Exception):  # a chain that does not answer is told by the steps that need it
            watch_clock(ledger, clock)
            weather.chain_answers()
        mine = {part for part in parts if weather.guarded(partial(_leased, ledger, part, weather), part)}
        for part, do in STEPS:
            if part in mine and not stop.is_set():
                weather.guarded(partial(do, ledger), f"{do.__module__}.{do.__name__}")
        if "rounds" in mine:
            weather.guarded(partial(news.tell, ledger), "news")
        if "settlement" in mine:
            weather.guarded(partial(money.look, ledger), "the relayer's balance")
    for give_up in (*(partial(leases.give_up, ledger, _job(part)) for part in parts), partial(_outbox_too, ledger)):
        weather.guarded(give_up, "a lease")  # it ends by itself


def run_until(ledger: Ledger, stop: threading.Event, only: Iterable[str] = PARTS) -> None:
    """As `run`, in a thread of its own, which is left behind where database or chain keep it waiting at the end."""
    thread = threading.Thread(target=run, args=(ledger, stop), kwargs={"only": only}, name="keeper", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.wait(1.0):
        pass
    thread.join(LAST_SECONDS)


def watch_clock(ledger: Ledger, clock: ClockWatch) -> None:
    """Say that this machine's clock is off, by the chain's newest block."""
    clock.block(int(ledger.chain.w3.eth.get_block("latest")["timestamp"]))


def _job(part: str) -> str:
    return f"keeper:{part}"


def _leased(ledger: Ledger, part: str, weather: Weather) -> bool:
    """Whether this process does a part now."""
    held = leases.take(ledger, _job(part))
    weather.database_answers()
    return held is not None


def _outbox_too(ledger: Ledger) -> None:
    leases.give_up(ledger, outbox.job(ledger))


def _why(error: Exception) -> str:
    """In one line, without objects and addresses of memory."""
    cause = error.__cause__ if isinstance(error, ChainUnavailable) else error
    status = getattr(getattr(cause, "response", None), "status_code", None)
    return f"it answers {status}" if status is not None else type(cause).__name__
