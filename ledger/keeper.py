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
from ledger import indexer, leases, outbox, tip
from ledger.errors import LeaseLost
from ledger.governance import carrying_out, votes
from ledger.judgement import blocks, faults, settling
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
logger = logging.getLogger(__name__)


def step(ledger: Ledger) -> None:
    """Everything that is due now, once."""
    for _, do in STEPS:
        do(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3, only: Iterable[str] = PARTS) -> None:
    """Step until told to stop; an unreachable chain or a broken part is reported and tried again."""
    parts, clock = tuple(only), ClockWatch(logger.warning, wall=ledger.now)
    while not stop.wait(interval):
        with suppress(Exception):  # a chain that does not answer is told by the steps that need it
            watch_clock(ledger, clock)
        mine = {part for part in parts if _guarded(partial(leases.take, ledger, _job(part)), part)}
        for part, do in STEPS:
            if part in mine:
                _guarded(partial(do, ledger), do.__module__)
    for part in parts:
        leases.give_up(ledger, _job(part))
    leases.give_up(ledger, outbox.job(ledger))


def watch_clock(ledger: Ledger, clock: ClockWatch) -> None:
    """Say that this machine's clock is off, by the chain's newest block."""
    clock.block(int(ledger.chain.w3.eth.get_block("latest")["timestamp"]))


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
