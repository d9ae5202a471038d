"""What the API answers of proposals: each with its calls in words, its state and its counts."""

from __future__ import annotations

from typing import Any

from web3.exceptions import Web3Exception

from contracts.bindings.governor import ProposalState
from ledger.context import Ledger
from ledger.governance import proposals, votes
from ledger.governance.proposals import RELAYING, Listed
from ledger.storage.tables import FINAL, Cursor, Proposal, Vote


def proposal(ledger: Ledger, row: Proposal) -> dict[str, Any]:
    """One proposal, with the Governor's word on its state now, and all that its id is made of: each call's bytes, the
    text, and the text's hash. Who reads it recomputes the id, and believes nobody."""
    whole = {"description": row.description, "description_hash": row.hash, "calls": _calls(ledger, row)}
    numbers = {"description_length": len(row.description), "call_count": len(row.actions)}
    return {**_document(row), **numbers, **whole, **_rules(ledger, row), "state": _state_now(ledger, row)}


def _calls(ledger: Ledger, row: Proposal) -> list[dict[str, str]]:
    """The words are those of the row; a row that no final block made has none yet."""
    words = row.words or proposals.put_in_words(ledger, Proposal(**row.model_dump())).words
    words = words + [""] * (len(row.actions) - len(words))
    return [
        {"target": target, "value": value, "data": data, "words": told}
        for (target, value, data), told in zip(row.actions, words, strict=True)
    ]


def _rules(ledger: Ledger, row: Proposal) -> dict[str, Any]:
    """The clock of the chain, and what the Governor asks of a vote; the quorum is null before the snapshot."""
    governor, now = ledger.chain.governor, int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    quorum = str(governor.quorum(row.snapshot)) if row.snapshot is not None and row.snapshot < now else None
    return {"now": now, "quorum": quorum, "grace": governor.grace(), "extension": governor.late_quorum_extension()}


def listed(ledger: Ledger, rows: list[Listed]) -> list[dict[str, Any]]:
    """Proposals with their states as the rows and the clock of the chain have them: a page asks the chain once.

    Each takes a bounded number of bytes, whatever its proposer wrote: calls are counted, the first has its beginning.
    """
    open_ones = [row for row in rows if row.snapshot is not None and not row.over]
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"]) if open_ones else 0
    return [{**_document(row), **_beginning(row), "state": _state_at(row, now)} for row in rows]


def _beginning(row: Listed) -> dict[str, Any]:
    return {
        "description": row.text,
        "description_length": row.length,
        "call_count": row.call_count,
        "first_call": row.first_words,
    }


def tally(ledger: Ledger, row: Proposal) -> dict[str, Any]:
    """Both counts at the same final block: `api` weighed each vote itself, `governor` is the contract's own.

    `unweighed` votes are credited and not in the API's count yet. A node that has no state of that block any more is
    asked for the newest, and `block` is null.
    """
    with ledger.store.read() as session:
        cursor = session.get(Cursor, FINAL)
        waiting = votes.unweighed(session, row.id)
    block, own = _own_count(ledger, int(row.id), cursor.block if cursor is not None else None)
    return {
        "api": _named(votes.counted(row)),
        "governor": _named(own),
        "votes": row.weighed,
        "unweighed": waiting,
        "block": block,
    }


def vote(row: Vote) -> dict[str, Any]:
    """One vote; its weight is null until it was looked up."""
    weight = None if row.weight is None else str(row.weight)
    return {**row.model_dump(exclude={"proposal", "weight"}), "weight": weight}


def _document(row: Proposal | Listed) -> dict[str, Any]:
    return {
        "id": row.id,
        "proposer": row.proposer,
        "block": row.block,
        "snapshot": row.snapshot,
        "deadline": row.deadline,
        "eta": row.eta,
        "over": row.over,
        "counts": _named(votes.counted(row)),
        "votes": row.weighed,
    }


def _state_now(ledger: Ledger, row: Proposal) -> str:
    if row.over:
        return row.state
    governor = ledger.chain.governor
    return governor.state(int(row.id)).name.lower() if governor.snapshot(int(row.id)) else RELAYING


def _state_at(row: Listed, now: int) -> str:
    """`ended`: the vote is over and nobody has looked yet what came of it."""
    if row.snapshot is None or row.deadline is None or row.state not in ("pending", "active"):
        return row.state
    if now <= row.snapshot:
        return ProposalState.PENDING.name.lower()
    return ProposalState.ACTIVE.name.lower() if now <= row.deadline else "ended"


def _own_count(ledger: Ledger, proposal_id: int, block: int | None) -> tuple[int | None, tuple[int, int, int]]:
    governor = ledger.chain.governor
    if block is None:
        return None, governor.votes(proposal_id)
    try:
        return block, governor.votes(proposal_id, block)
    except (Web3Exception, ValueError):
        return None, governor.votes(proposal_id)


def _named(counts: tuple[int, int, int]) -> dict[str, str]:
    return {name: str(count) for name, count in zip(("against", "for", "abstain"), counts, strict=True)}
