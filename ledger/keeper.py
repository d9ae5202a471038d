"""What moves time on: blocks into the log, outbox, indexer, epochs and proposals, each step safe to repeat.

No rule goes by this server's clock: time is that of the blocks that are entered.

The steps are in three parts, which may run in one process or in three, and in as many spare ones beside as one likes:
a part is done by whoever has its lease (ledger/leases.py), the others stand by.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from requests.exceptions import ConnectionError as ChainUnreachable
from requests.exceptions import Timeout

from contracts.clock_watch import ClockWatch
from contracts.outage import Outage, Troubles
from contracts.presence import ChainOther, ChainWithoutContract
from ledger import indexer, leases, outbox, tip
from ledger.errors import DatabaseUnreachable, LeaseLost, LedgerBusy
from ledger.governance import carrying_out, votes
from ledger.judgement import blocks, faults, settling
from ledger.news import News
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
ASK_THE_CHAIN = frozenset({"ledger.judgement.blocks.follow", "ledger.indexer.follow", "ledger.tip.track"})
"""Steps that ask the chain each time: where one ends well, the chain answers."""
PARTS: tuple[str, ...] = ("rounds", "settlement", "indexer")
logger = logging.getLogger(__name__)


def step(ledger: Ledger) -> None:
    """Everything that is due now, once."""
    for _, do in STEPS:
        do(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3, only: Iterable[str] = PARTS) -> None:
    """Step until told to stop; an unreachable chain or a broken part is reported and tried again."""
    parts, clock = tuple(only), ClockWatch(logger.warning, wall=ledger.now)
    weather, news = Weather(), News()
    while not stop.wait(interval):
        with suppress(Exception):  # a chain that does not answer is told by the steps that need it
            watch_clock(ledger, clock)
        mine = {part for part in parts if weather.guarded(partial(leases.take, ledger, _job(part)), f"lease of {part}")}
        for part, do in STEPS:
            if part in mine:
                weather.guarded(partial(do, ledger), f"{do.__module__}.{do.__name__}")
        if "rounds" in mine:
            weather.guarded(partial(news.tell, ledger), "news")
    for part in parts:
        leases.give_up(ledger, _job(part))
    leases.give_up(ledger, outbox.job(ledger))


def watch_clock(ledger: Ledger, clock: ClockWatch) -> None:
    """Say that this machine's clock is off, by the chain's newest block."""
    clock.block(int(ledger.chain.w3.eth.get_block("latest")["timestamp"]))


def _job(part: str) -> str:
    return f"keeper:{part}"


class Weather:
    """What does not answer, and what fails, told in few lines; every step is tried again."""

    def __init__(self) -> None:
        self._chain = Outage("the chain node", logger.warning)
        self._database = Outage("the database", logger.warning)
        self._troubles = Troubles(logger.error)

    def guarded(self, do: Callable[[], object], name: str) -> object:
        """What `do` gives; None if it fails, which is told."""
        try:
            found = do()
        except (ChainUnreachable, Timeout) as error:
            self._chain.failed(type(error).__name__)
        except (DatabaseUnreachable, LedgerBusy) as error:
            self._database.failed(error.detail)
        except (ChainOther, ChainWithoutContract, LeaseLost) as error:
            self._troubles.failed(name, f"{error.code}: {error.detail}")
        except Exception as error:
            if self._troubles.failed(name, f"{error!r}; trying again"):
                logger.exception("%s failed", name)
        else:
            self._went_well(name)
            return found
        return None

    def _went_well(self, name: str) -> None:
        self._troubles.ended(name)
        if name in ASK_THE_CHAIN:
            self._chain.ended()
        self._database.ended()
