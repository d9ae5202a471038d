"""Whatever the Governor counts is counted once, by past votes at the snapshot; a tally is a sum that stands ready."""

from __future__ import annotations

import pytest

from commonweight.commands.holder.gov import BEFORE
from contracts.bindings.token import ModelToken
from contracts.chain.connection import contract_at, send
from contracts.ids import Address
from contracts.wire.states import BallotState
from ledger.chainread import indexer
from ledger.fsck.governance import check_governance
from ledger.governance import votes
from ledger.relay import outbox
from ledger.storage.tables import ChainEvent, Outgoing, Proposal, Vote
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration


def opened(house: House, name: str) -> str:
    """A proposal whose vote is open."""
    proposal = house.propose(house.wallets[0], name, [("clip", "2")])
    house.wait(PARAMS.voting_delay + 1)
    return proposal


def vote_credited(house: House, proposal: str) -> None:
    """A vote that is final and read, and that nobody has weighed."""
    accepted(house.vote(house.wallets[0], proposal))
    outbox.flush(house.ledger)
    indexer.follow(house.ledger)


def test_votes_with_parameters_are_counted(electorate: House) -> None:
    """Before: the Governor had 500 for it, and the API none."""
    proposal, (one, two) = opened(electorate, "params"), electorate.wallets
    raw = contract_at(electorate.place.w3, "ModelGovernor", electorate.place.deployment.governor).functions
    send(electorate.place.w3, one, raw.castVoteWithReasonAndParams(int(proposal), 1, "because", b"\x01\x02"))
    send(electorate.place.w3, two, raw.castVoteWithReason(int(proposal), 0, "because not"))
    electorate.step(2)
    tally = electorate.get(f"/proposals/{proposal}/tally")
    assert tally["api"] == tally["governor"] == {"against": "500", "for": "500", "abstain": "0"}
    assert (tally["votes"], tally["unweighed"]) == (2, 0)
    assert tally["block"] is not None
    cast = electorate.get(f"/proposals/{proposal}/votes")
    assert [(v["voter"], v["support"], v["weight"]) for v in cast] == [(one.address, 1, "500"), (two.address, 0, "500")]
    after = {"block": cast[0]["block"], "log_index": cast[0]["log_index"]}
    assert electorate.get(f"/proposals/{proposal}/votes", **after) == cast[1:]


def test_an_unweighed_vote_is_told_and_never_counted_twice(electorate: House) -> None:
    proposal = opened(electorate, "weighed once")
    vote_credited(electorate, proposal)
    tally = electorate.get(f"/proposals/{proposal}/tally")
    assert (tally["unweighed"], tally["api"]["for"], tally["governor"]["for"]) == (1, "0", "500")
    votes.weigh(electorate.ledger)
    votes.weigh(electorate.ledger)
    tally = electorate.get(f"/proposals/{proposal}/tally")
    assert (tally["unweighed"], tally["votes"], tally["api"]["for"]) == (0, 1, "500")


@holds(
    "Every vote that the Governor counts is counted here, once",
    by="ledger/governance/votes.py:weigh",
    against=Threat.TAKEOVER,
)
def test_two_that_weigh_at_once_count_a_vote_once(electorate: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process weighs it between this one's look at the token and its writing."""
    proposal = opened(electorate, "two at once")
    vote_credited(electorate, proposal)
    asked = ModelToken.past_votes
    inside = False

    def slow(token: ModelToken, account: Address, timestamp: int) -> int:
        nonlocal inside
        if not inside:
            inside = True
            votes.weigh(electorate.ledger)
        return asked(token, account, timestamp)

    monkeypatch.setattr(ModelToken, "past_votes", slow)
    votes.weigh(electorate.ledger)
    with electorate.ledger.store.read() as session:
        row = session.get_one(Proposal, proposal)
        assert (row.in_favour, row.weighed) == (500, 1)
        assert session.get_one(Vote, (proposal, electorate.wallets[0].address)).weight == 500


def test_the_same_vote_again_is_a_success_and_another_is_refused(electorate: House) -> None:
    """Whoever is not sure votes again: another signature under the same vote was refused before."""
    proposal, (one, two) = opened(electorate, "again and again"), electorate.wallets
    said = [accepted(electorate.vote(one, proposal))["ballot"] for _ in range(2)]
    electorate.step(2)
    said.append(accepted(electorate.vote(one, proposal))["ballot"])  # its nonce is spent: signed anew
    assert said == [BallotState.TAKEN, BallotState.WAITING, BallotState.COUNTED]
    assert set(BEFORE) == {BallotState.WAITING, BallotState.COUNTED}, "the command knows both"
    answer = electorate.vote(one, proposal, 0)
    check_refused(answer, 409, "already-committed")
    assert f"{one.address} has voted for on {proposal}" in answer.json()["detail"]
    send(electorate.place.w3, two, electorate.ledger.chain.governor.cast_vote(int(proposal), 0))
    check_refused(electorate.vote(two, proposal, 0), 409, "already-committed")  # what it was is not final yet
    electorate.step()
    assert accepted(electorate.vote(two, proposal, 0))["ballot"] == BallotState.COUNTED
    electorate.wait(PARAMS.voting_period + 1)
    assert accepted(electorate.vote(one, proposal))["ballot"] == BallotState.COUNTED
    check_refused(electorate.vote(two, proposal, 1), 409, "already-committed")


def test_a_ballot_whose_call_is_dead_is_handed_in_again(electorate: House) -> None:
    """Else its voter would hear of a success that nobody counts."""
    proposal, voter = opened(electorate, "dead once"), electorate.wallets[0]
    accepted(electorate.vote(voter, proposal))
    with electorate.ledger.store.write() as session:
        row = session.get_one(Outgoing, f"ballot:{proposal}:{voter.address}")
        row.state = "dead"
        session.add(row)
    check_refused(electorate.vote(voter, proposal, 0), 409, "already-committed")
    assert accepted(electorate.vote(voter, proposal))["ballot"] == BallotState.TAKEN
    electorate.step(2)
    assert electorate.get(f"/proposals/{proposal}/tally")["api"]["for"] == "500"


def test_a_tally_asks_the_chain_once(electorate: House, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = opened(electorate, "no call per vote")
    for holder in electorate.wallets:
        accepted(electorate.vote(holder, proposal))
    electorate.step(2)
    provider = electorate.place.w3.provider
    asked: list[object] = []
    real = provider.make_request

    def counted(method: object, params: object) -> object:
        asked.append(method)
        return real(method, params)  # type: ignore[arg-type]

    monkeypatch.setattr(provider, "make_request", counted)
    assert electorate.get(f"/proposals/{proposal}/tally")["api"]["for"] == "1000"
    assert len(asked) <= 1


def said_of(proposal: str, voter: str, block: int, support: int = 1) -> ChainEvent:
    """A vote as a final block tells it."""
    said = {"proposalId": proposal, "voter": voter, "support": str(support), "weight": "1"}
    return ChainEvent(
        block=block, log_index=0, transaction="0x", contract="ModelGovernor", name="VoteCast", arguments=said
    )


def test_a_vote_that_cannot_be_weighed_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before: one vote on a proposal of before the registry, by anybody, ended all counting for ever."""
    monkeypatch.setattr(votes, "AT_ONCE", 1)
    electorate = house.become_holders()
    (one, two), stranger = electorate.wallets, key_of("stranger").address
    later = opened(electorate, "has no snapshot that the token knows")
    proposal = opened(electorate, "counted all the same")
    with electorate.ledger.store.write() as session:
        row = session.get_one(Proposal, later)
        row.snapshot = 2**40  # the token refuses a look into the future
        session.add(row)
        for number, (name, support) in enumerate({"0": 1, "77": 1, later: 1, proposal: 9}.items()):
            votes.credit(session, said_of(name, stranger, 1_000 + number, support))
    for holder in (one, two):
        accepted(electorate.vote(holder, proposal))
    electorate.step(6)
    tally = electorate.get(f"/proposals/{proposal}/tally")
    assert (tally["api"]["for"], tally["governor"]["for"], tally["unweighed"]) == ("1000", "1000", 1)
    answer = electorate.client.get("/v1/proposals/77")
    check_refused(answer, 404, "not-found")
    assert "votes on it were read" in answer.json()["detail"]
    with electorate.ledger.store.read() as session:
        found = {finding.key for finding in check_governance(session) if finding.table == "vote"}
    assert {"0", "77"} <= found
