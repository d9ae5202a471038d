"""The process that moves time on: rounds, outbox, indexer, epochs and proposals, each step safe to repeat."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from requests.exceptions import ConnectionError as ChainUnreachable

from ledger import appeals, epochs, governance, indexer, node_faults, outbox, panels, rounds, work_audit
from ledger.service import Ledger

STEPS: tuple[Callable[[Ledger], None], ...] = (
    panels.seat_all,
    rounds.advance_all,
    outbox.flush,
    indexer.follow,
    epochs.settle,
    governance.carry_out,
    work_audit.audit_decided,
    node_faults.list_due,
    appeals.lapse,
)
logger = logging.getLogger(__name__)


def step(ledger: Ledger) -> None:
    """Everything that is due now, once."""
    for part in STEPS:
        part(ledger)


def run(ledger: Ledger, stop: threading.Event, interval: float = 0.3) -> None:
    """Step until told to stop; an unreachable chain or a broken part is reported and tried again."""
    while not stop.wait(interval):
        for part in STEPS:
            try:
                part(ledger)
            except ChainUnreachable:
                logger.warning("the chain does not answer; trying again")
            except Exception:
                logger.exception("%s failed; trying again", part.__module__)
