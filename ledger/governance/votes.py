"""Votes as the Governor's events tell them, each weighed once by what its voter had at the snapshot.

The weight that an event names is the Governor's word. The API's count is its own: the same past votes, asked of the
token, so that both counts stand beside each other. A tally is then a sum that stands in the proposal's row.
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
"""Votes that are weighed between two looks at other work."""
COUNTS = ("against", "in_favour", "abstain")
"""Columns of the counts, by the Governor's number of what was voted."""
logger = logging.getLogger(__name__)


def credit(session: Session, event: ChainEvent) -> None:
    """A vote of a final block, to be weighed. Nobody votes twice, and a second event changes nothing."""
    said = event.arguments
    if session.get(Vote, (said["proposalId"], said["voter"])) is not None:
        return
    session.add(
        Vote(
            proposal=said["proposalId"],
            voter=said["voter"],
            support=int(said["support"]),
            block=event.block,
            log_index=event.log_index,
        )
    )


def weigh(ledger: Ledger) -> None:
    """Look up what voters had at the snapshot, and add it to the counts, once a vote.

    What cannot be weighed stays unweighed and is passed by: a vote on a proposal whose creation nobody read, one of a
    kind that has no count, one of which the token will not say what it weighs. None keeps another from being counted.
    """
    after = ("", "")
    while waiting := _waiting(ledger, after):
        weights = {(vote.proposal, vote.voter): _weight(ledger, vote, snapshot) for vote, snapshot in waiting}
        known = {key: weight for key, weight in weights.items() if weight is not None}
        if known:
            with ledger.store.write() as session:
                for key, weight in known.items():
                    _add(session, key, weight)
            return
        after = list(weights)[-1]


def _waiting(ledger: Ledger, after: tuple[str, str]) -> list[tuple[Vote, int]]:
    """Votes that can be weighed, each with the second at which it is, by proposal and voter, after a place."""
    place = tuple_(col(Vote.proposal), col(Vote.voter))
    wanted = (
        select(Vote, Proposal.snapshot)
        .join(Proposal, col(Proposal.id) == col(Vote.proposal))
        .where(text(UNWEIGHED), col(Vote.support).in_(range(len(COUNTS))), place > after)
        .where(col(Proposal.snapshot).is_not(None))
        .order_by(col(Vote.proposal), col(Vote.voter))
    )
    with ledger.store.read() as session:
        return [(vote, int(snapshot or 0)) for vote, snapshot in session.exec(wanted.limit(AT_ONCE))]


def _weight(ledger: Ledger, vote: Vote, snapshot: int) -> int | None:
    """None where the token refuses to say."""
    try:
        with rejections():
            return ledger.chain.token.past_votes(as_address(vote.voter), snapshot)
    except ContractRejected as error:
        logger.warning("the vote of %s on %s is not weighed: %s", vote.voter, vote.proposal, error)
        return None


def page(session: Session, proposal: str, after: tuple[int, int], limit: int) -> list[Vote]:
    """Votes in the order of the chain, after a (block, log index)."""
    place = tuple_(col(Vote.block), col(Vote.log_index))
    wanted = select(Vote).where(Vote.proposal == proposal, place > after)
    return list(session.exec(wanted.order_by(col(Vote.block), col(Vote.log_index)).limit(limit)))


def counted(row: Proposal | Listed) -> tuple[int, int, int]:
    """Votes against, for, abstaining, by the API's own reading."""
    return row.against, row.in_favour, row.abstain


def unknown(session: Session) -> list[str]:
    """Proposals on which votes were read, and whose creation was not."""
    made = select(Proposal.id).where(Proposal.id == Vote.proposal, col(Proposal.snapshot).is_not(None)).exists()
    return list(session.exec(select(Vote.proposal).where(~made).distinct()))


def unweighed(session: Session, proposal: str) -> int:
    """Votes that are credited and not weighed yet."""
    waiting = select(func.count()).select_from(Vote).where(Vote.proposal == proposal, text(UNWEIGHED))
    return int(session.exec(waiting).one())


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
