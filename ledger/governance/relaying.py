"""Proposals and votes by signature: the holder signs, the relayer pays, if its rules and its budget allow it (J22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils import keccak, to_checksum_address
from sqlmodel import Session

from contracts.bindings.governor import PROPOSER_MARK, Action, Ballot, ProposalState, description_of
from contracts.errors import BadField
from contracts.ids import Address, to_hex
from contracts.protocol.run_config import RunConfig
from contracts.wire.states import BallotState
from ledger.context import Ledger
from ledger.errors import AlreadyDecided, NoVotes, TooEarly, VoteClosed
from ledger.governance import proposals
from ledger.relay import budget, outbox
from ledger.storage.tables import BallotRow, Outgoing, Proposal, Vote


@dataclass(frozen=True)
class SignedProposal:
    """A proposal with its proposer's signature: decisions (key, value) for the runs, then calls; until `deadline`."""

    proposer: str
    description: str
    decisions: Sequence[Sequence[str]]
    calls: Sequence[Action]
    deadline: int
    signature: bytes


BALLOT_GAS = 400_000
"""Gas that a contract's check of its signature may use in a batch (ModelGovernor.sol), whatever the estimate is."""


def propose(ledger: Ledger, proposal: SignedProposal) -> str:
    """Relay a signed proposal; returns its id. Every decision must fit the run's rules; calls are the holders' own.

    The Governor checks the signature first, so that a bad one never takes the place of a good one. Raises BadField for
    a description without its proposer's mark, NoVotes, BelowThreshold, RelayBudgetSpent and ContractRejected.
    """
    name = to_checksum_address(proposal.proposer)
    governor = ledger.chain.governor
    _check_description(proposal.description, name)
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    votes = ledger.chain.token.past_votes(name, now - 1)
    if votes == 0:
        raise NoVotes(f"{name} has no votes: the relayer pays for holders alone")
    actions = [*ledger.chain.decision_actions(proposal.description, proposal.decisions), *proposal.calls]
    if not actions:
        raise BadField("decisions and calls must not both be empty")
    proposal_id = str(governor.proposal_id(actions, proposal.description))
    key = f"proposal:{proposal_id}:{keccak(proposal.signature).hex()[:16]}"
    with ledger.store.read() as session:
        if session.get(Outgoing, key) is not None:
            return proposal_id
    budget.require_least(ledger, votes, now - 1, ledger.relay.proposal_ppm)
    share = budget.share_of(ledger, name)
    call = governor.propose_by_sig(name, actions, proposal.description, proposal.deadline, proposal.signature)
    gas = budget.gas_of(ledger, call)
    _check_fits(ledger, proposal.decisions)
    with ledger.store.write() as session:
        budget.take(ledger, session, name, gas, share)
        if session.get(Proposal, proposal_id) is None:
            row = _relayed(proposal_id, name, proposal.description, actions)
            session.add(proposals.put_in_words(ledger, row))
        outbox.enqueue(session, key, call, gas)
    return proposal_id


def _check_description(description: str, proposer: str) -> None:
    """Raises BadField."""
    if not description.lower().endswith(description_of("", proposer).lower()):
        raise BadField(f"description must end with {description_of('', proposer)}: else anybody can take its place")
    if description.lower().count(PROPOSER_MARK) > 1:
        raise BadField(f"description must hold {PROPOSER_MARK} once, at its end: another one misleads readers")


def _relayed(proposal_id: str, proposer: str, description: str, actions: Sequence[Action]) -> Proposal:
    """The row of a proposal that is on its way."""
    columns = proposals.as_columns(actions)
    digest = to_hex(keccak(text=description))
    return Proposal(id=proposal_id, proposer=proposer, description=description, hash=digest, actions=columns)


def _check_fits(ledger: Ledger, decisions: Sequence[Sequence[str]]) -> None:
    """Checked after the signature: nothing is parsed for a stranger. Raises InvalidRunConfig."""
    for config in _configs(ledger) or [RunConfig()]:
        for key, value in decisions:
            config.with_decision(key, value)


def _configs(ledger: Ledger) -> list[RunConfig]:
    """The configuration with which the next round of each run would open."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return [RunConfig.from_json(run.config) for run in state.runs.values() if not run.over]


def vote(ledger: Ledger, proposal_id: str, voter: Address, support: int, signature: bytes) -> BallotState:
    """Relay a signed ballot on any proposal of the Governor, if the vote is open and it would count.

    Returns its state; of the same vote again, whatever its signature, WAITING while the vote is on its way
    and COUNTED once the Governor has it. Raises AlreadyDecided for another vote, NotFound, TooEarly, VoteClosed,
    NoVotes, BelowThreshold, RelayBudgetSpent, ContractRejected.
    """
    name = to_checksum_address(voter)
    text = to_hex(signature)
    key = f"ballot:{proposal_id}:{name}"
    with ledger.store.read() as session:
        proposals.require(session, proposal_id)
        status = _before(session, proposal_id, name, support, key)
    if status is not None:
        return status
    snapshot = _require_active(ledger, int(proposal_id))
    if ledger.chain.governor.has_voted(int(proposal_id), name):
        raise AlreadyDecided(f"{name} has voted on {proposal_id} past this server, in a block that is not final yet")
    weight = ledger.chain.token.past_votes(name, snapshot)
    if weight == 0:
        raise NoVotes(f"{name} had no votes at the proposal's snapshot")
    budget.require_least(ledger, weight, snapshot, ledger.relay.ballot_ppm)
    share = budget.share_of(ledger, name)
    ballot = Ballot(int(proposal_id), support, name, signature)
    budget.gas_of(ledger, ledger.chain.ballot_call(ballot))  # refuses a ballot that the batch would pass over
    call = ledger.chain.governor.relay_votes([ballot])
    gas = budget.gas_of(ledger, call) + (BALLOT_GAS if ledger.chain.w3.eth.get_code(name) else 0)
    with ledger.store.write() as session:
        status = _before(session, proposal_id, name, support, key)
        if status is not None:
            return status
        budget.take(ledger, session, name, gas, share)
        if session.get(BallotRow, (proposal_id, name)) is None:
            session.add(BallotRow(proposal=proposal_id, voter=name, support=support, signature=text))
        outbox.enqueue(session, key, call, gas)
        outbox.revive(session, key, gas)
    return BallotState.TAKEN


def _before(session: Session, proposal: str, voter: Address, support: int, key: str) -> BallotState | None:
    """The state of this vote if it was handed in before; None if it was not, or if its call is dead and the vote can
    be handed in again. Raises AlreadyDecided."""
    counted = session.get(Vote, (proposal, voter))
    ballot = session.get(BallotRow, (proposal, voter))
    earlier = counted or ballot
    if earlier is None:
        return None
    _require_same(earlier, support)
    if counted is not None:
        return BallotState.COUNTED
    return None if outbox.is_dead(session, key) else BallotState.WAITING


def _require_same(earlier: BallotRow | Vote, support: int) -> None:
    """Raises AlreadyDecided."""
    if earlier.support != support:
        choice = ("against", "for", "abstain")[earlier.support]
        raise AlreadyDecided(f"{earlier.voter} has voted {choice} on {earlier.proposal}: the first ballot counts")


def _require_active(ledger: Ledger, proposal_id: int) -> int:
    """The snapshot of a proposal whose vote is open. Raises TooEarly and VoteClosed."""
    snapshot = ledger.chain.governor.snapshot(proposal_id)
    state = ledger.chain.governor.state(proposal_id) if snapshot else ProposalState.PENDING
    if state == ProposalState.PENDING:
        raise TooEarly("voting has not begun; the snapshot is taken first")
    if state != ProposalState.ACTIVE:
        raise VoteClosed(f"proposal {proposal_id} is {state.name.lower()}")
    return snapshot
