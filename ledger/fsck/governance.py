"""Proposals and votes against the Governor's events that were applied, and the counts against the votes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, col, select
from web3.exceptions import Web3Exception

from contracts.ids import Address, as_address
from contracts.wire.states import ProposalPhase
from ledger.context import Ledger
from ledger.fsck.finding import Finding, differences
from ledger.governance import proposals, votes
from ledger.storage.tables import FINAL, ChainEvent, Cursor, Proposal, Vote

_FROM_EVENTS = ("proposer", "hash", "actions", "block", "snapshot", "deadline", "eta")
"""Columns that follow from events alone; the state is also read from the Governor."""


def check_governance(session: Session) -> Iterator[Finding]:
    """A finding for every proposal or vote that does not follow from the events, and every count that no votes give."""
    query = select(ChainEvent).where(ChainEvent.contract == "ModelGovernor")
    events = session.exec(query.order_by(col(ChainEvent.block), col(ChainEvent.log_index))).all()
    rows = {row.id: row for row in session.exec(select(Proposal)) if row.state != ProposalPhase.RELAYING}
    expected = {name: _columns(row) for name, row in _derived(events).items()}
    yield from differences("proposal", expected, {name: _columns(row) for name, row in rows.items()}, "the chain")
    for name in votes.unknown(session):
        yield Finding("vote", name, "votes were read on this proposal, and its creation was not")
    cast = list(session.exec(select(Vote)))
    yield from differences(
        "vote", _votes(events), {_key(v.proposal, as_address(v.voter)): v.support for v in cast}, "the chain"
    )
    counts = {name: _sums([vote for vote in cast if vote.proposal == name]) for name in rows}
    yield from differences(
        "proposal", counts, {n: (*votes.counted(r), r.weighed) for n, r in rows.items()}, "its votes"
    )


def check_ends(ledger: Ledger, session: Session) -> Iterator[Finding]:
    """A finding for every proposal that is over on the chain, as far as it was read, and not here."""
    cursor = session.get(Cursor, FINAL)
    open_rows = select(Proposal).where(col(Proposal.over).is_(False), Proposal.state != ProposalPhase.RELAYING)
    for row in session.exec(open_rows):
        state = _state(ledger, int(row.id), cursor.block if cursor is not None else None)
        if state in proposals.OVER:
            yield Finding("proposal", row.id, f"is {row.state} here, and {state} on the chain")


def _state(ledger: Ledger, proposal: int, block: int | None) -> str:
    """A proposal's state by the Governor at a block; where the node lacks that state, at the newest final block."""
    try:
        return ledger.chain.governor.state(proposal, block).name.lower()
    except (Web3Exception, ValueError):
        return ledger.chain.governor.final_state(proposal).name.lower()


def _derived(events: Any) -> dict[str, Proposal]:
    rows: dict[str, Proposal] = {}
    for event in events:
        if event.name == "ProposalCreated":
            rows[event.arguments["proposalId"]] = proposals.created_row(event)
        elif event.name in proposals.CREDITED and event.arguments["proposalId"] in rows:
            proposals.change(rows[event.arguments["proposalId"]], event)
    return rows


def _votes(events: Any) -> dict[str, int]:
    cast = (event.arguments for event in events if event.name in votes.CREDITED)
    return {_key(arguments["proposalId"], arguments["voter"]): int(arguments["support"]) for arguments in cast}


def _sums(cast: list[Vote]) -> tuple[int, int, int, int]:
    sums = [sum(v.weight for v in cast if v.support == support and v.weight is not None) for support in range(3)]
    return sums[0], sums[1], sums[2], sum(vote.weight is not None for vote in cast)


def _columns(row: Proposal) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _FROM_EVENTS)


def _key(proposal: str, voter: Address) -> str:
    return f"{proposal} {voter}"
