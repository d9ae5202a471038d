"""Routes of what was earned and decided: log, epochs, claims, balances, proposals, votes, transactions."""

from __future__ import annotations

from typing import Any

from eth_utils import to_checksum_address
from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select

from api import views
from api.access import get_ledger
from api.wire import LARGEST, BallotBody, ClaimBody, CosignatureBody, EthAddress, Number, ProposalBody, octets
from contracts import messages
from contracts.messages import from_json
from ledger import epochs, governance, journal, log, outbox, payouts, tip
from ledger.service import Ledger
from ledger.tables import DecisionRow, Epoch, Proposal

router = APIRouter()


@router.get("/log/head")
def log_head(ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """The signed tree head."""
    with ledger.store.read() as session:
        return log.head(ledger, session)


@router.get("/log/entries")
def log_entries(
    start: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> dict[str, Any]:
    """Leaves of the log."""
    with ledger.store.read() as session:
        return {"entries": [{"index": e.index, "body": e.body} for e in log.bodies(session, start, limit)]}


@router.get("/log/inclusion")
def log_inclusion(
    index: int = Query(ge=0, le=LARGEST), size: int = Query(ge=0, le=LARGEST), ledger: Ledger = Depends(get_ledger)
) -> dict[str, Any]:
    """Inclusion proof of a leaf."""
    with ledger.store.read() as session:
        return {"path": ["0x" + node.hex() for node in log.inclusion(session, index, size)]}


@router.get("/log/consistency")
def log_consistency(
    first: int = Query(ge=0, le=LARGEST), second: int = Query(ge=0, le=LARGEST), ledger: Ledger = Depends(get_ledger)
) -> dict[str, Any]:
    """Consistency proof between two sizes."""
    with ledger.store.read() as session:
        return {"path": ["0x" + node.hex() for node in log.consistency(session, first, second)]}


@router.get("/epochs")
def list_epochs(ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """All closed epochs."""
    with ledger.store.read() as session:
        return [views.epoch(ledger, session, row) for row in session.exec(select(Epoch).order_by(col(Epoch.number)))]


@router.get("/epochs/{number}/payouts")
def epoch_payouts(
    number: Number,
    start: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> dict[str, Any]:
    """Lines of an epoch."""
    with ledger.store.read() as session:
        epochs.require_epoch(session, number)
        return {"payouts": [views.payout(line) for line in payouts.lines(session, number, start, limit)]}


@router.post("/epochs/{number}/signatures")
def sign_epoch(number: Number, body: CosignatureBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, int]:
    """A verifier's signature on the payout root."""
    message = from_json(messages.EpochRoot, body.message)
    epochs.sign(ledger, number, message, body.signature_bytes(), body.signer)
    return {"epoch": number}


@router.get("/epochs/{number}/claims/{account}")
def show_claim(number: Number, account: EthAddress, ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """An account's lines with the proofs that the contract takes, and whether they are minted."""
    with ledger.store.read() as session:
        lines = payouts.lines_of(session, number, account)
        paths = payouts.proofs(ledger, session, epochs.require_epoch(session, number), [x.leaf for x in lines])
        return [
            {**views.payout(x), "proof": ["0x" + n.hex() for n in path], "minted": tip.mint_state(session, x.leaf)}
            for x, path in zip(lines, paths, strict=True)
        ]


@router.post("/epochs/{number}/claims")
def claim(number: Number, body: ClaimBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """Mint an account's lines at the relayer's cost. Anybody may ask; only the account is paid."""
    return {"transactions": epochs.claim(ledger, number, body.account)}


@router.get("/transactions")
def transactions(
    call: list[str] = Query([], max_length=200),
    start: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> list[dict[str, Any]]:
    """Transactions of the relayer, oldest first; `call` names the ones to show."""
    with ledger.store.read() as session:
        rows = outbox.listed(session, call, start, limit)
        hashes = outbox.hashes(session, [row.id for row in rows])
        return [views.outgoing(row, hashes[row.id]) for row in rows]


@router.get("/balances/{book}")
def balances(
    book: str, account: list[str] = Query([], max_length=50), ledger: Ledger = Depends(get_ledger)
) -> dict[str, str]:
    """Balances of one book of the journal (`work`, `code`, `data`, `units`): of these accounts, or of all."""
    with ledger.store.read() as session:
        if account:
            return {name: str(journal.balance(session, book, name)) for name in sorted(set(account))}
        return {name: str(amount) for name, amount in sorted(journal.balances(session, book).items())}


@router.post("/proposals")
def propose(body: ProposalBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Relay a signed proposal."""
    proposal = governance.propose(
        ledger, body.proposer, body.description, body.decisions, body.deadline, octets(body.signature)
    )
    return {"proposal": proposal}


@router.get("/proposals")
def list_proposals(ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """All proposals with the Governor's state."""
    with ledger.store.read() as session:
        rows = list(session.exec(select(Proposal)))
    return [_proposal(ledger, row) for row in rows]


@router.get("/proposals/{proposal}")
def show_proposal(proposal: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """One proposal."""
    with ledger.store.read() as session:
        row = governance.require_proposal(session, proposal)
    return _proposal(ledger, row)


@router.get("/proposals/{proposal}/tally")
def tally(proposal: str, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """The API's count beside the Governor's."""
    return governance.tally(ledger, proposal)


@router.post("/proposals/{proposal}/ballots")
def vote(proposal: str, body: BallotBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Relay a signed vote."""
    governance.vote(ledger, proposal, body.voter, body.support, octets(body.signature))
    return {"voter": to_checksum_address(body.voter)}


@router.get("/decisions")
def decisions(ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """What holders decided, and what the run made of it."""
    with ledger.store.read() as session:
        rows = session.exec(select(DecisionRow).order_by(col(DecisionRow.sequence)))
        return [row.model_dump() for row in rows]


def _proposal(ledger: Ledger, row: Proposal) -> dict[str, Any]:
    return {**row.model_dump(), "state": governance.state_name(ledger, row)}
