"""The API's answers about proposals: each with its calls in words, its state and its counts."""

from __future__ import annotations

from web3.exceptions import Web3Exception

from contracts.wire import votes as wire
from contracts.wire.states import ProposalPhase
from ledger.context import Ledger
from ledger.governance import proposals, votes
from ledger.governance.proposals import Listed
from ledger.storage.tables import FINAL, Cursor, Proposal, Vote


def proposal(ledger: Ledger, row: Proposal) -> wire.Proposal:
    """One proposal, with its state now by the Governor, and all parts of its id: each call's bytes, the text, and the
    text's hash. A reader recomputes the id, and believes nobody.

    `now` is the clock of the chain; the quorum is null before the snapshot.
    """
    governor = ledger.chain.governor
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    is_weighed = row.snapshot is not None and row.snapshot < now
    return wire.Proposal(
        id=row.id,
        proposer=row.proposer,
        block=row.block,
        snapshot=row.snapshot,
        deadline=row.deadline,
        eta=row.eta,
        over=row.over,
        counts=_named(votes.counted(row)),
        votes=row.weighed,
        description=row.description,
        description_length=len(row.description),
        call_count=len(row.actions),
        state=_state_now(ledger, row),
        description_hash=row.hash,
        calls=_calls(ledger, row),
        now=now,
        quorum=str(governor.quorum(row.snapshot)) if is_weighed and row.snapshot is not None else None,
        grace=governor.grace(),
        extension=governor.late_quorum_extension(),
    )


def _calls(ledger: Ledger, row: Proposal) -> list[wire.ProposalCall]:
    """The words are those of the row; a row that no final block made has none yet."""
    words = row.words or proposals.put_in_words(ledger, Proposal(**row.model_dump())).words
    words = words + [""] * (len(row.actions) - len(words))
    return [
        wire.ProposalCall(target=target, value=value, data=data, words=text)
        for (target, value, data), text in zip(row.actions, words, strict=True)
    ]


def listed(ledger: Ledger, rows: list[Listed]) -> list[wire.ProposalLine]:
    """Proposals with their states by the rows and the clock of the chain: a page asks the chain once.

    Each takes a bounded number of bytes, whatever its proposer wrote: calls are counted, the first has its beginning.
    """
    open_ones = [row for row in rows if row.snapshot is not None and not row.over]
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"]) if open_ones else 0
    return [_line(row, now) for row in rows]


def _line(row: Listed, now: int) -> wire.ProposalLine:
    return wire.ProposalLine(
        id=row.id,
        proposer=row.proposer,
        block=row.block,
        snapshot=row.snapshot,
        deadline=row.deadline,
        eta=row.eta,
        over=row.over,
        counts=_named(votes.counted(row)),
        votes=row.weighed,
        description=row.text,
        description_length=row.length,
        call_count=row.call_count,
        first_call=row.first_words,
        state=_state_at(row, now),
    )


def tally(ledger: Ledger, row: Proposal) -> wire.Tally:
    """Both counts at the same final block: `api` weighed each vote itself, `governor` is the contract's own.

    `unweighed` votes are applied and not in the API's count yet. Where the node has no state of that block any more,
    the Governor's count is of the newest block, and `block` is null.
    """
    with ledger.store.read() as session:
        cursor = session.get(Cursor, FINAL)
        waiting = votes.unweighed(session, row.id)
    block, own = _own_count(ledger, int(row.id), cursor.block if cursor is not None else None)
    return wire.Tally(
        api=_named(votes.counted(row)), governor=_named(own), votes=row.weighed, unweighed=waiting, block=block
    )


def vote(row: Vote) -> wire.VoteLine:
    """One vote; its weight is null until it was looked up."""
    return wire.VoteLine(
        voter=row.voter,
        support=row.support,
        weight=None if row.weight is None else str(row.weight),
        block=row.block,
        log_index=row.log_index,
    )


def _state_now(ledger: Ledger, row: Proposal) -> str:
    if row.over:
        return row.state
    governor = ledger.chain.governor
    return governor.state(int(row.id)).name.lower() if governor.snapshot(int(row.id)) else ProposalPhase.RELAYING


def _state_at(row: Listed, now: int) -> str:
    """ENDED: the vote is over, and the keeper has not read its result yet."""
    if row.snapshot is None or row.deadline is None or row.state not in (ProposalPhase.PENDING, ProposalPhase.ACTIVE):
        return row.state
    if now <= row.snapshot:
        return ProposalPhase.PENDING
    return ProposalPhase.ACTIVE if now <= row.deadline else ProposalPhase.ENDED


def _own_count(ledger: Ledger, proposal_id: int, block: int | None) -> tuple[int | None, tuple[int, int, int]]:
    governor = ledger.chain.governor
    if block is None:
        return None, governor.votes(proposal_id)
    try:
        return block, governor.votes(proposal_id, block)
    except (Web3Exception, ValueError):
        return None, governor.votes(proposal_id)


def _named(counts: tuple[int, int, int]) -> wire.VoteCounts:
    against, in_favour, abstain = map(str, counts)
    return wire.VoteCounts(against=against, in_favour=in_favour, abstain=abstain)
