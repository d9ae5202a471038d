"""Votes as the Governor's events tell them, each weighed once by what its voter had at the snapshot.

The weight that an event names is the Governor's word. The API's count is its own: the same past votes, asked of the
token, so that both counts stand beside each other. A tally is then a sum that stands in the proposal's row.
"""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from ledger.service import Ledger
from ledger.tables import ChainEvent, Proposal, Vote

CREDITED = ("VoteCast", "VoteCastWithParams")
"""Both are votes: parameters change nothing in how this Governor counts."""
AT_ONCE = 200
"""Votes that are weighed between two looks at other work."""
COUNTS = ("against", "in_favour", "abstain")
"""Columns of the counts, by the Governor's number of what was voted."""


def credit(session: Session, event: ChainEvent) -> None:
    """A vote of a final block, to be weighed. Nobody votes twice, and a second event changes nothing."""
    said = event.arguments
    if session.get(Vote, (said["proposalId"], said["voter"])) is not None:
        return
    session.add(
        Vote(
            proposal=said["proposalId"], voter=said["voter"], support=int(said["support"]), block=event.block,
            log_index=event.log_index,
        )
    )  # fmt: skip


def weigh(ledger: Ledger) -> None:
    """Look up what voters had at the snapshot, and add it to the counts, once a vote."""
    with ledger.store.read() as session:
        votes = list(session.exec(select(Vote).where(col(Vote.weight).is_(None)).limit(AT_ONCE)))
        snapshots = {name: _snapshot(session, name) for name in {vote.proposal for vote in votes}}
    if not votes:
        return
    token = ledger.chain.token
    weights = {(vote.proposal, vote.voter): token.past_votes(vote.voter, snapshots[vote.proposal]) for vote in votes}
    with ledger.store.write() as session:
        for key, weight in weights.items():
            _add(session, key, weight)


def page(session: Session, proposal: str, after: tuple[int, int], limit: int) -> list[Vote]:
    """Votes in the order of the chain, after a (block, log index)."""
    block, index = after
    later = (col(Vote.block) > block) | ((col(Vote.block) == block) & (col(Vote.log_index) > index))
    wanted = select(Vote).where(Vote.proposal == proposal, later)
    return list(session.exec(wanted.order_by(col(Vote.block), col(Vote.log_index)).limit(limit)))


def counted(row: Proposal) -> tuple[int, int, int]:
    """Votes against, for, abstaining, by the API's own reading."""
    return row.against, row.in_favour, row.abstain


def unweighed(session: Session, proposal: str) -> int:
    """Votes that are credited and not weighed yet."""
    waiting = select(func.count()).select_from(Vote).where(Vote.proposal == proposal, col(Vote.weight).is_(None))
    return int(session.exec(waiting).one())


def _snapshot(session: Session, proposal: str) -> int:
    snapshot = session.get_one(Proposal, proposal).snapshot
    assert snapshot is not None, f"{proposal} has votes and no snapshot"
    return snapshot


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
