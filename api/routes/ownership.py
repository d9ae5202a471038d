"""Routes of ownership and decisions: the log's entries, balances, proposals, votes, transactions."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_checksum_address
from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select

from api.access import get_ledger
from contracts.bindings.governor import Action
from contracts.bindings.token import Delegation
from contracts.ids import as_address, from_hex
from contracts.wire import votes as wire
from contracts.wire.epochs import QueuedCall
from contracts.wire.fields import LARGEST, PAGE, Balance, EthAddress
from contracts.wire.log import LogLine, LogPage
from contracts.wire.relay import RelayBudget, Transaction
from contracts.wire.requests import BallotBody, DelegationBody, ProposalBody
from contracts.wire.states import CallState
from ledger.books import journal, log
from ledger.context import Ledger
from ledger.governance import delegations, proposals, relaying, shown, votes
from ledger.relay import budget, outbox
from ledger.storage.tables import DecisionRow, DelegationRow, Outgoing, TakenView
from ledger.views.projection import catch_up

router = APIRouter()


@router.get("/log/entries")
def log_entries(
    start: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> LogPage:
    """List entries of the log, in their order."""
    with ledger.store.read() as session:
        return LogPage(entries=[LogLine(index=e.index, body=e.body) for e in log.bodies(session, start, limit)])


@router.get("/transactions")
def transactions(
    call: list[str] = Query([], max_length=200),
    after: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> list[Transaction]:
    """List the relayer's calls after an `order`, the oldest first, or only the calls that `call` names."""
    with ledger.store.read() as session:
        rows = outbox.listed(session, call, after, limit)
        hashes = outbox.hashes(session, [row.id for row in rows])
        return [_outgoing(row, hashes[row.id]) for row in rows]


@router.get("/balances/{book}")
def balances(
    book: str,
    account: list[str] = Query([], max_length=50),
    after: str = Query("", max_length=100),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> dict[str, Balance]:
    """List balances of a book of the journal (`work`, `units`): those of `account`, or a page after an account."""
    journal.require_book(book)
    accounts = journal.accounts_of(book, account)
    with ledger.store.read() as session:
        rows = journal.balances_of(session, book, accounts) if accounts else journal.page(session, book, after, limit)
    return {name: str(amount) for name, amount in rows.items()}


@router.post("/proposals")
def propose(body: ProposalBody, ledger: Ledger = Depends(get_ledger)) -> wire.QueuedProposal:
    """Relay a signed proposal."""
    calls = [Action(to_checksum_address(call.target), from_hex(call.data), int(call.value)) for call in body.calls]
    signed = relaying.SignedProposal(
        body.proposer, body.description, body.decisions, calls, body.deadline, from_hex(body.signature)
    )
    proposal = relaying.propose(ledger, signed)
    return wire.QueuedProposal(proposal=proposal)


@router.get("/proposals")
def list_proposals(
    after: str = Query("", max_length=100),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[wire.ProposalLine]:
    """List all proposals of the Governor by id, each with its first call in words, after the proposal `after`."""
    with ledger.store.read() as session:
        rows = proposals.page(session, after, limit)
    return shown.listed(ledger, rows)


@router.get("/proposals/{proposal}")
def show_proposal(proposal: str, ledger: Ledger = Depends(get_ledger)) -> wire.Proposal:
    """Show one proposal, with its present state in the Governor."""
    with ledger.store.read() as session:
        row = proposals.require(session, proposal)
    return shown.proposal(ledger, row)


@router.get("/proposals/{proposal}/tally")
def tally(proposal: str, ledger: Ledger = Depends(get_ledger)) -> wire.Tally:
    """Show the server's count of the votes beside the Governor's count, at the same block."""
    with ledger.store.read() as session:
        row = proposals.require(session, proposal)
    return shown.tally(ledger, row)


@router.get("/proposals/{proposal}/votes")
def list_votes(
    proposal: str,
    block: int = Query(-1, ge=-1, le=LARGEST),
    log_index: int = Query(-1, ge=-1, le=LARGEST),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[wire.VoteLine]:
    """List the votes on a proposal in the order of the chain, after the position `block`, `log_index`."""
    with ledger.store.read() as session:
        row = proposals.require(session, proposal)
        return [shown.vote(vote) for vote in votes.page(session, row.id, (block, log_index), limit)]


@router.post("/proposals/{proposal}/ballots")
def vote(proposal: str, body: BallotBody, ledger: Ledger = Depends(get_ledger)) -> wire.TakenBallot:
    """Relay a signed vote. The same vote again gets the state of the first one."""
    ballot = relaying.vote(ledger, proposal, as_address(body.voter), body.support, from_hex(body.signature))
    return wire.TakenBallot(voter=to_checksum_address(body.voter), ballot=ballot)


@router.post("/delegations")
def delegate(body: DelegationBody, ledger: Ledger = Depends(get_ledger)) -> QueuedCall:
    """Relay a signed delegation of votes."""
    delegation = Delegation(to_checksum_address(body.delegatee), body.nonce, body.expiry)
    return QueuedCall(transaction=delegations.delegate(ledger, body.delegator, delegation, from_hex(body.signature)))


@router.get("/delegations/{account}")
def show_delegation(
    account: EthAddress,
    after: str = Query("", max_length=100),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> wire.Delegations:
    """Show the address that an account lends its votes to, and a page of the accounts that lend it theirs."""
    name = to_checksum_address(account)
    with ledger.store.read() as session:
        row = session.get(DelegationRow, name)
        rows = delegations.lenders(session, name, after, limit)
        return wire.Delegations(account=name, to=row.to if row else None, lenders=[lender.delegator for lender in rows])


@router.get("/relay/{account}")
def relay(account: EthAddress, ledger: Ledger = Depends(get_ledger)) -> RelayBudget:
    """Show the relayer's thresholds, and the budget that an account has today."""
    name = to_checksum_address(account)
    rules = ledger.relay
    share = budget.share_of(ledger, name)
    with ledger.store.read() as session:
        remaining = budget.left(ledger, session, name, share)
    return RelayBudget(
        proposal_ppm=rules.proposal_ppm,
        ballot_ppm=rules.ballot_ppm,
        gas_left=remaining.account,
        gas_left_everybody=remaining.everybody,
        gas_a_day=budget.most_of(ledger, share),
        gas_a_day_everybody=rules.daily_gas,
        share_ppm=share.ppm,
        weighed_at=share.second,
    )


@router.get("/decisions")
def decisions(
    after: int = Query(-1, ge=-1, le=LARGEST),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[wire.Decision]:
    """List the holders' decisions after a number, in the order of the chain, each with the answers of the runs."""
    catch_up(ledger)
    with ledger.store.read() as session:
        query = select(DecisionRow).where(col(DecisionRow.sequence) > after)
        rows = list(session.exec(query.order_by(col(DecisionRow.sequence)).limit(limit)))
        taken_query = select(TakenView).where(col(TakenView.sequence).in_([row.sequence for row in rows]))
        taken = list(session.exec(taken_query.order_by(col(TakenView.sequence), col(TakenView.run))))
        return [_decision(row, [one for one in taken if one.sequence == row.sequence]) for row in rows]


def _decision(row: DecisionRow, taken: Sequence[TakenView]) -> wire.Decision:
    runs = [wire.RunTook(run=one.run, applied=one.body["applied"], detail=one.body["detail"]) for one in taken]
    return wire.Decision(sequence=row.sequence, key=row.key, value=row.value, block=row.block, taken=runs)


def _outgoing(row: Outgoing, hashes: list[str]) -> Transaction:
    """A call of the relayer; any of its hashes may be the one that is mined, `hash` is or is the newest."""
    return Transaction(
        id=row.id,
        order=row.order,
        state=CallState(row.state),
        nonce=row.nonce,
        hash=row.hash,
        block=row.block,
        error=row.error,
        tries=row.tries,
        hashes=hashes,
    )
