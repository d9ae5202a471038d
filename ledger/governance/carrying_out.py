"""What passed is queued and executed: anyone may, so the relayer does, wherever it was proposed, within its budget."""

from __future__ import annotations

import logging

from sqlmodel import col, or_, select, text
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3RPCError

from contracts.bindings.governor import ProposalState
from contracts.chain.connection import ContractRejected
from contracts.ids import as_address, from_hex
from ledger.context import Ledger
from ledger.errors import RelayBudgetSpent
from ledger.governance.proposals import actions_of
from ledger.relay import budget, outbox
from ledger.relay_rules import LONGEST_PAUSE
from ledger.storage.tables import OPEN_PROPOSALS, Proposal

AT_ONCE = 100
"""Proposals that are looked at between two looks at other work."""
SILENT_ENDS = (
    ProposalState.DEFEATED,
    ProposalState.EXPIRED,
    ProposalState.CANCELED,
    ProposalState.EXECUTED,
)
"""Ends that the Governor's word alone makes, whether it logs them or not: time logs nothing."""
logger = logging.getLogger(__name__)


def carry_out(ledger: Ledger) -> None:
    """Look at every proposal whose vote has ended, and take it one step on.

    One that cannot be taken on is looked at again after a pause that doubles: it must not keep others from their turn.
    """
    waiting = select(Proposal).where(text(OPEN_PROPOSALS))
    now = ledger.now()
    longest = LONGEST_PAUSE
    waiting = waiting.where((col(Proposal.again) <= now) | (col(Proposal.again) > now + longest))  # a clock ran ahead
    with ledger.store.read() as session:
        if session.exec(waiting.limit(1)).first() is None:
            return
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    ended = waiting.where(col(Proposal.deadline) < now, or_(col(Proposal.eta).is_(None), col(Proposal.eta) <= now))
    with ledger.store.read() as session:
        rows = list(session.exec(ended.order_by(col(Proposal.again), col(Proposal.deadline)).limit(AT_ONCE)))
    for row in rows:
        _take_on(ledger, row)


def _take_on(ledger: Ledger, row: Proposal) -> None:
    """One step. What a node has against it is told and looked at later: it must not keep those behind it waiting."""
    state = ledger.chain.governor.state(int(row.id))
    governor = ledger.chain.governor
    actions = actions_of(row)
    digest = from_hex(row.hash)
    if state == ProposalState.SUCCEEDED:
        _relay(ledger, row, "queue", governor.queue(actions, digest))
    elif state == ProposalState.QUEUED and row.eta is not None:
        _relay(ledger, row, "execute", governor.execute(actions, digest))
    _note(ledger, row, state)


def _relay(ledger: Ledger, row: Proposal, step: str, call: ContractFunction) -> None:
    """Queue a step, and again where the last try is dead while the Governor says that the step is still to be done.

    Whoever spoils one block (a budget that is short for a moment) would else keep what passed from being executed. The
    pauses between two looks double, and each try is taken from the proposer's budget: that bounds the gas.
    """
    key = f"{step}:{row.id}"
    with ledger.store.read() as session:
        dead = outbox.is_dead(session, key)
    if dead is False:
        return
    try:
        gas = budget.gas_of(ledger, call)
        with ledger.store.write() as session:
            budget.take(ledger, session, as_address(row.proposer), gas)
            outbox.revive(session, key, gas) if dead else outbox.enqueue(session, key, call, gas)
    except (ContractRejected, RelayBudgetSpent, Web3RPCError) as error:
        logger.warning("proposal %s is not taken on (%s): %s", row.id, step, error)


def _note(ledger: Ledger, row: Proposal, state: ProposalState) -> None:
    """What no event of the Governor says: succeeded, and, once no reorg can take it back, that it is over."""
    ended = state in SILENT_ENDS and ledger.chain.governor.final_state(int(row.id)) == state
    with ledger.store.write() as session:
        kept = session.get_one(Proposal, row.id, with_for_update=True)
        kept.tries += 1
        kept.again = ledger.now() + ledger.relay.pause(kept.tries)
        if ended or state == ProposalState.SUCCEEDED:
            kept.state = state.name.lower()
            kept.over = ended
        session.add(kept)
