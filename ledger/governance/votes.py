"""Votes by the Governor's events, each weighed once by its voter's past votes at the snapshot.

The weight in an event is the Governor's claim. The API's count is its own: the same past votes, asked of the token, so
that the two counts can be compared. A tally is then a sum in the proposal's row.
"""

from __future__ import annotations

import logging

from sqlmodel import Session, col, func, select, text, tuple_

from contracts.chain.connection import ContractRejected, rejections
from contracts.ids import as_address
from ledger.context import Ledger
from ledger.governance.proposals import Listed
from ledger.storage.tables import UNWEIGHED, ChainEvent, Proposal, Vote

CREDITED = ("VoteCast", "VoteCastWithParams")
"""Both are votes: parameters change nothing in how this Governor counts."""
AT_ONCE = 200
"""Votes that one pass weighs."""
COUNTS = ("against", "in_favour", "abstain")
"""Columns of the counts, by the Governor's number of the choice."""
logger = logging.getLogger(__name__)


def credit(session: Session, event: ChainEvent) -> None:
    """A vote of a final block, to be weighed. Nobody votes twice, and a second event changes nothing."""
    arguments = event.arguments
    if session.get(Vote, (arguments["proposalId"], arguments["voter"])) is not None:
        return
    session.add(
        Vote(
            proposal=arguments["proposalId"],
            voter=arguments["voter"],
            support=int(arguments["support"]),
            block=event.block,
            log_index=event.log_index,
        )
    )


def weigh(ledger: Ledger) -> None:
    """Look up the voters' past votes at the snapshot, and add them to the counts, once a vote.

    A vote that cannot be weighed stays unweighed and is passed by: a vote on a proposal whose creation was not read,
    one of a kind that has no count, one whose weight the token refuses to give. None keeps another from being counted.
    """
    after = ("", "")
    while waiting := _waiting(ledger, after):
        weights = {(vote.proposal, vote.voter): _weight(ledger, vote, snapshot) for vote, snapshot in waiting}
        weighed = {key: weight for key, weight in weights.items() if weight is not None}
        if weighed:
            with ledger.store.write() as session:
                for key, weight in weighed.items():
                    _add(session, key, weight)
            return
        after = list(weights)[-1]


def _waiting(ledger: Ledger, after: tuple[str, str]) -> list[tuple[Vote, int]]:
    """Votes that can be weighed, each with its snapshot's second, by proposal and voter, after a (proposal, voter)."""
    position = tuple_(col(Vote.proposal), col(Vote.voter))
    query = (
        select(Vote, Proposal.snapshot)
        .join(Proposal, col(Proposal.id) == col(Vote.proposal))
        .where(text(UNWEIGHED), col(Vote.support).in_(range(len(COUNTS))), position > after)
        .where(col(Proposal.snapshot).is_not(None))
        .order_by(col(Vote.proposal), col(Vote.voter))
    )
    with ledger.store.read() as session:
        return [(vote, int(snapshot or 0)) for vote, snapshot in session.exec(query.limit(AT_ONCE))]


def _weight(ledger: Ledger, vote: Vote, snapshot: int) -> int | None:
    """A vote's weight. None where the token refuses to give it."""
    try:
        with rejections():
            return ledger.chain.token.past_votes(as_address(vote.voter), snapshot)
    except ContractRejected as error:
        logger.warning("the vote of %s on %s is not weighed: %s", vote.voter, vote.proposal, error)
        return None


def page(session: Session, proposal: str, after: tuple[int, int], limit: int) -> list[Vote]:
    """Votes in the order of the chain, after a (block, log index)."""
    position = tuple_(col(Vote.block), col(Vote.log_index))
    query = select(Vote).where(Vote.proposal == proposal, position > after)
    return list(session.exec(query.order_by(col(Vote.block), col(Vote.log_index)).limit(limit)))


def counted(row: Proposal | Listed) -> tuple[int, int, int]:
    """Votes against, for, abstaining, by the API's own reading."""
    return row.against, row.in_favour, row.abstain


def unknown(session: Session) -> list[str]:
    """Proposals on which votes were read, and whose creation was not read."""
    created = select(Proposal.id).where(Proposal.id == Vote.proposal, col(Proposal.snapshot).is_not(None)).exists()
    return list(session.exec(select(Vote.proposal).where(~created).distinct()))


def unweighed(session: Session, proposal: str) -> int:
    """The number of votes that are applied and not weighed yet."""
    query = select(func.count()).select_from(Vote).where(Vote.proposal == proposal, text(UNWEIGHED))
    return int(session.exec(query).one())


def _add(session: Session, key: tuple[str, str], weight: int) -> None:
    vote = session.get_one(Vote, key, with_for_update=True)
    if vote.weight is not None:
        return  # another process weighed it meanwhile
    vote.weight = weight
    row = session.get_one(Proposal, vote.proposal, with_for_update=True)
    name = COUNTS[vote.support]
    setattr(row, name, getattr(row, name) + weight)
    row.weighed += 1
    session.add_all((vote, row))
