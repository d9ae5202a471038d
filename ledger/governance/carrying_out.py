"""Passed proposals are queued and executed. Anyone may do it, so the relayer does, within the proposer's budget."""

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
"""Proposals that one pass looks at."""
SILENT_ENDS = (
    ProposalState.DEFEATED,
    ProposalState.EXPIRED,
    ProposalState.CANCELED,
    ProposalState.EXECUTED,
)
"""Ends that are read from the Governor's state, whether it logs an event or not: time logs nothing."""
logger = logging.getLogger(__name__)


def advance_proposals(ledger: Ledger) -> None:
    """Take every proposal whose vote has ended one step on.

    A proposal that cannot go on is looked at again after a pause that doubles: it must not keep others from their turn.
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
        _advance(ledger, row)


def _advance(ledger: Ledger, row: Proposal) -> None:
    """One step. A node's refusal is logged, and the proposal is looked at later: it must not block those behind it."""
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

    A stranger who spoils one block (a budget that is short for a moment) would else stop a passed proposal for good.
    The pauses between two looks double, and each try is taken from the proposer's budget: that bounds the gas.
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


def _note(ledger: Ledger, seen: Proposal, state: ProposalState) -> None:
    """Note what the Governor logs no event of: success, and, once no reorg can take it back, the end."""
    ended = state in SILENT_ENDS and ledger.chain.governor.final_state(int(seen.id)) == state
    with ledger.store.write() as session:
        proposal = session.get_one(Proposal, seen.id, with_for_update=True)
        proposal.tries += 1
        proposal.again = ledger.now() + ledger.relay.pause(proposal.tries)
        if ended or state == ProposalState.SUCCEEDED:
            proposal.state = state.name.lower()
            proposal.over = ended
        session.add(proposal)
