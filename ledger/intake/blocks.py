"""Final blocks into the log: their events, and all that follows, in one transaction each. The log is the cursor."""

from __future__ import annotations

import logging

from sqlmodel import Session

from contracts.chain.presence import require_present
from contracts.protocol.chain.reading import ChainReader, DueBlocks
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.machine import VERSION
from contracts.protocol.judge.state import State
from contracts.protocol.log.blocks import split
from ledger.books import log
from ledger.context import Ledger
from ledger.crash_points import reach

MOST = 16
"""Blocks that one pass enters: a server that is far behind does its other work in between."""
logger = logging.getLogger(__name__)


def follow(ledger: Ledger) -> None:
    """Enter the final blocks that are due, one after the other. The first entry of all names the rules.

    Raises ChainUnfit and BlockNotFinal.
    """
    begin(ledger)
    reader = ledger.reader or ChainReader(ledger.chain.w3, ledger.chain.deployment)
    for _ in range(MOST):
        if not _enter_next(ledger, reader):
            return


def begin(ledger: Ledger) -> None:
    """Name the version of the rules in an empty log."""
    with ledger.store.read() as session:
        if log.size(session):
            return
    with ledger.store.write() as session:
        if log.size(session) == 0:
            ledger.judge.enter(session, Rules(VERSION))


def _enter_next(ledger: Ledger, reader: ChainReader) -> bool:
    """Whether a block was entered. The chain is read without the writers' turn, and the machine is copied only where
    there is a block to read for it."""
    number = _due(ledger, reader)
    if number is None:
        return False
    with ledger.store.read() as session:
        state = ledger.judge.copy(session)
    block = reader.block(state, number)
    reach("blocks.read")
    return _enter(ledger, state.block, block)


def _due(ledger: Ledger, reader: ChainReader) -> int | None:
    """Number of the block that has to be entered; None where no block became final since, or none has an event."""
    final, time = reader.final()
    with ledger.store.read() as session:
        _require_chain(ledger, session, final)
        with ledger.judge.view(session) as state:
            position = DueBlocks.of(state)
            every = _interval(ledger, state)
    if position.block is not None and not position.block.more and final <= position.block.number:
        return None
    return reader.due(position, every, (final, time))


def _interval(ledger: Ledger, state: State) -> int:
    """Seconds of chain time between two entered blocks.

    A beacon's time counts from the last entered block, and k verifiers have to sign `Seen` before it: so the log is
    never further behind than half of the shortest span of a run in which a round is open.
    """
    spans = [run.created.terms.span for run in state.runs.values() if not run.over and run.round > run.merged]
    return min([ledger.enter_every, *(max(1, span // 2) for span in spans)])


def _require_chain(ledger: Ledger, session: Session, final: int) -> None:
    """Raises ChainOther and ChainWithoutContract where final blocks are gone with the chain's state."""
    with ledger.judge.view(session) as state:
        gone = state.block is not None and final < state.block.number
    if gone:
        require_present(ledger.chain.w3, ledger.chain.deployment)


def _enter(ledger: Ledger, read_after: Block | None, block: Block) -> bool:
    """All parts of a block, unless another process entered one since it was read, or a round closed for which an
    earlier block is the beacon: then the block is read again."""
    try:
        with ledger.store.write() as session:
            if ledger.judge.at_end(session).block != read_after:
                return False
            for part in split(block):
                ledger.judge.enter(session, part)
        return True
    except Refused as refused:
        logger.info("block %d is read again: %s", block.number, refused.detail)
        return False
