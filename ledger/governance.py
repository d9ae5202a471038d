"""Proposals and votes by signature: the relayer pays, the Governor counts, the API counts again."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import keccak, to_checksum_address
from sqlmodel import Session, col, select
from web3.contract.contract import ContractFunction

from contracts.chain import rejections
from contracts.errors import BadField
from contracts.governor import Ballot, ProposalState, description_of
from contracts.run_config import RunConfig
from ledger import outbox
from ledger.errors import AlreadyDecided, NotFound, NoVotes, TooEarly, VoteClosed
from ledger.service import Ledger
from ledger.tables import BallotRow, ChainEvent, Outgoing, Proposal

OVER = (ProposalState.EXECUTED, ProposalState.DEFEATED, ProposalState.CANCELED, ProposalState.EXPIRED)


def propose(
    ledger: Ledger, proposer: str, description: str, decisions: Sequence[Sequence[str]], deadline: int, signature: bytes
) -> str:
    """Relay a signed proposal of (key, value) decisions; returns its id. Every decision must fit the run's rules.

    The Governor is asked first, so that nobody's bad signature takes the place of a good one. Raises BadField for a
    description without its proposer's mark, NoVotes and ContractRejected.
    """
    name = to_checksum_address(proposer)
    if not description.lower().endswith(description_of("", name).lower()):
        raise BadField(f"description must end with {description_of('', name)}: else anybody can take its place")
    if ledger.chain.token.votes(name) == 0:
        raise NoVotes(f"{name} has no votes: the relayer pays for holders alone")
    actions = ledger.chain.decision_actions(description, decisions)
    governor = ledger.chain.governor
    proposal_id = str(governor.proposal_id(actions, description))
    key = f"proposal:{proposal_id}:{keccak(signature).hex()[:16]}"
    with ledger.store.read() as session:
        if session.get(Outgoing, key) is not None:
            return proposal_id
    call = governor.propose_by_sig(name, actions, description, deadline, signature)
    _try_out(ledger, call)
    _check_fits(ledger, decisions)
    with ledger.store.write() as session:
        if session.get(Proposal, proposal_id) is None:
            session.add(
                Proposal(
                    id=proposal_id, proposer=name, description=description,
                    decisions=[list(pair) for pair in decisions],
                )
            )  # fmt: skip
        outbox.enqueue(session, key, call)
    return proposal_id


def _check_fits(ledger: Ledger, decisions: Sequence[Sequence[str]]) -> None:
    """After the signature: nothing is parsed for a stranger. Raises InvalidRunConfig."""
    for config in _configs(ledger) or [RunConfig()]:
        for key, value in decisions:
            config.with_decision(key, value)


def _configs(ledger: Ledger) -> list[RunConfig]:
    """What the next round of each run would open with."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return [RunConfig.from_json(run.config) for run in state.runs.values() if not run.over]


def vote(ledger: Ledger, proposal_id: str, voter: str, support: int, signature: bytes) -> None:
    """Relay a signed ballot, if the vote is open and the Governor would count it. Raises NoVotes, ContractRejected."""
    name, text = to_checksum_address(voter), "0x" + signature.hex()
    with ledger.store.read() as session:
        proposal, known = require_proposal(session, proposal_id), session.get(BallotRow, (proposal_id, name))
    if known is not None and (known.support, known.signature) == (support, text):
        return
    if known is not None:
        raise AlreadyDecided(f"{name} has voted on {proposal_id}")
    _require_active(ledger, proposal)
    if ledger.chain.token.past_votes(name, ledger.chain.governor.snapshot(int(proposal_id))) == 0:
        raise NoVotes(f"{name} had no votes at the proposal's snapshot")
    ballot = Ballot(int(proposal_id), support, name, signature)
    _try_out(ledger, ledger.chain.ballot_call(ballot))
    with ledger.store.write() as session:
        if session.get(BallotRow, (proposal_id, name)) is not None:
            raise AlreadyDecided(f"{name} has voted on {proposal_id}")
        session.add(BallotRow(proposal=proposal_id, voter=name, support=support, signature=text))
        outbox.enqueue(session, f"ballot:{proposal_id}:{name}", ledger.chain.governor.relay_votes([ballot]))


def tally(ledger: Ledger, proposal_id: str) -> dict[str, dict[str, str]]:
    """Both counts: `api` weighs each cast ballot by past votes itself, `governor` is the contract's own."""
    governor, token = ledger.chain.governor, ledger.chain.token
    with ledger.store.read() as session:
        require_proposal(session, proposal_id)
        events = session.exec(select(ChainEvent).where(col(ChainEvent.name) == "VoteCast")).all()
    counted = [0, 0, 0]
    snapshot = governor.snapshot(int(proposal_id))
    for event in events:
        if event.arguments["proposalId"] == proposal_id:
            counted[int(event.arguments["support"])] += token.past_votes(event.arguments["voter"], snapshot)
    names = ("against", "for", "abstain")
    own = governor.votes(int(proposal_id))
    return {
        "api": {name: str(count) for name, count in zip(names, counted, strict=True)},
        "governor": {name: str(count) for name, count in zip(names, own, strict=True)},
    }


def carry_out(ledger: Ledger) -> None:
    """Queue what succeeded and execute what has waited out the timelock: anyone may, so the relayer does."""
    with ledger.store.read() as session:
        proposals = list(session.exec(select(Proposal).where(col(Proposal.over).is_(False))))
    for proposal in proposals:
        state = _state(ledger, proposal)
        if state == ProposalState.SUCCEEDED:
            _relay(ledger, proposal, "queue")
        elif state == ProposalState.QUEUED and _waited(ledger, proposal):
            _relay(ledger, proposal, "execute")
        elif state in OVER:
            with ledger.store.write() as session:
                row = session.get_one(Proposal, proposal.id)
                row.executed, row.over = state == ProposalState.EXECUTED, True
                session.add(row)


def require_proposal(session: Session, proposal_id: str) -> Proposal:
    """The proposal of that id. Raises NotFound."""
    found = session.get(Proposal, proposal_id)
    if found is None:
        raise NotFound(f"no proposal {proposal_id}")
    return found


def state_name(ledger: Ledger, proposal: Proposal) -> str:
    """The Governor's word, or `relaying` before the proposal is on the chain."""
    state = _state(ledger, proposal)
    return "relaying" if state is None else state.name.lower()


def _require_active(ledger: Ledger, proposal: Proposal) -> None:
    state = _state(ledger, proposal)
    if state in (None, ProposalState.PENDING):
        raise TooEarly("voting has not begun; the snapshot is taken first")
    if state != ProposalState.ACTIVE:
        raise VoteClosed(f"proposal {proposal.id} is {state_name(ledger, proposal)}")


def _try_out(ledger: Ledger, call: ContractFunction) -> None:
    """Raises ContractRejected if the call would be refused now."""
    with rejections():
        call.call({"from": ledger.operator.address})


def _state(ledger: Ledger, proposal: Proposal) -> ProposalState | None:
    if ledger.chain.governor.snapshot(int(proposal.id)) == 0:
        return None
    return ledger.chain.governor.state(int(proposal.id))


def _waited(ledger: Ledger, proposal: Proposal) -> bool:
    return int(ledger.chain.w3.eth.get_block("latest")["timestamp"]) > ledger.chain.governor.eta(int(proposal.id))


def _relay(ledger: Ledger, proposal: Proposal, step: str) -> None:
    actions = ledger.chain.decision_actions(proposal.description, proposal.decisions)
    governor = ledger.chain.governor
    call = governor.queue if step == "queue" else governor.execute
    with ledger.store.write() as session:
        outbox.enqueue(session, f"{step}:{proposal.id}", call(actions, proposal.description))
