"""What holders decide reaches the run: proposed, voted, counted twice, executed and obeyed by the next round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain.connection import ContractRejected, send
from contracts.protocol.run_config import RunConfig
from ledger.storage.tables import Proposal
from tests.databases import fresh_database
from tests.deployed import PARAMS, key_of
from tests.house import House, accepted, check_refused
from tests.walked import check_order, followed, walks

pytestmark = pytest.mark.integration


@pytest.fixture
def owned(house: House) -> House:
    """For those who look at what the run does next."""
    return house.become_holders()


@pytest.fixture(scope="module")
def electorate(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For those who only vote, each on a proposal of its own."""
    folder = tmp_path_factory.mktemp("electorate")
    with fresh_database(database_kind, folder) as url, House(folder, database=url) as house:
        yield house.become_holders()


def taken(house: House) -> list[tuple[str, bool, str]]:
    """What the run made of each decision."""
    return [(d["key"], d["taken"][0]["applied"], d["taken"][0]["detail"]) for d in house.get("/decisions")]


def test_a_decision_reaches_the_runs_next_round(house: House) -> None:
    """On the way that docs/walks.md shows. The round that is open keeps what it opened with."""
    owned, walk = house.become_holders(rounds=3), walks()["A vote to the next round"]
    one, two = owned.wallets
    with followed(walk) as calls:
        proposal = owned.propose(one, "faster", [("inner_lr", "0.002"), ("outer_lr", "0.5")])
        owned.carry(proposal, votes=[(one, 1), (two, 1)])
        check_decided(owned, proposal)
        owned.play_round()
    check_order(walk, calls)
    with owned.ledger.store.read() as session, owned.ledger.judge.view(session) as state:
        (run,) = state.runs.values()
        assert RunConfig.from_json(run.rounds[3].config).inner_lr == "0.002"


def check_decided(owned: House, proposal: str) -> None:
    """Both decisions are made and applied, and the open round has its own configuration still."""
    assert owned.get(f"/proposals/{proposal}")["state"] == "executed"
    assert [(d["key"], d["value"]) for d in owned.get("/decisions")] == [("inner_lr", "0.002"), ("outer_lr", "0.5")]
    assert taken(owned) == [("inner_lr", True, ""), ("outer_lr", True, "")]
    shown = owned.get(f"/runs/{'0x' + owned.run.run.hex()}/decisions")
    assert [line["applied"] for line in shown] == [True, True]
    with owned.ledger.store.read() as session, owned.ledger.judge.view(session) as state:
        (run,) = state.runs.values()
        assert RunConfig.from_json(run.config).inner_lr == "0.002"
        assert RunConfig.from_json(run.rounds[2].config).inner_lr == owned.run.config.inner_lr


def counts(house: House, proposal: str) -> tuple[str, str, str]:
    """Against, for and abstaining votes, on which API and Governor must agree."""
    house.step(2)
    tally = house.get(f"/proposals/{proposal}/tally")
    assert tally["api"] == tally["governor"]
    return tally["api"]["against"], tally["api"]["for"], tally["api"]["abstain"]


def test_both_counts_agree_with_the_ballots(electorate: House) -> None:
    creator, wallet = electorate.wallets[0], electorate.wallets[1]
    mine, theirs = (str(electorate.ledger.chain.token.votes(a.address)) for a in (creator, wallet))
    proposal = electorate.propose(creator, "split", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    accepted(electorate.vote(creator, proposal, 1))
    assert counts(electorate, proposal) == ("0", mine, "0")
    accepted(electorate.vote(wallet, proposal, 0))
    assert counts(electorate, proposal) == (theirs, mine, "0")


def test_votes_cast_on_the_chain_itself_are_counted_too(electorate: House) -> None:
    """Nobody needs the API to vote."""
    creator, chain = electorate.wallets[0], electorate.ledger.chain
    proposal = electorate.propose(creator, "direct", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    send(electorate.place.w3, creator, chain.governor.cast_vote(int(proposal), 2))
    assert counts(electorate, proposal) == ("0", "0", str(chain.token.votes(creator.address)))


def test_tokens_received_after_the_snapshot_do_not_vote(electorate: House) -> None:
    creator, late, token = electorate.wallets[0], key_of("latecomer"), electorate.ledger.chain.token
    before = str(token.votes(creator.address))
    proposal = electorate.propose(creator, "late money", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    send(electorate.place.w3, creator, token.transfer(late.address, 100))
    check_refused(electorate.vote(late, proposal, 1), 403, "no-votes")  # the relayer pays for none that weighs nothing
    accepted(electorate.vote(creator, proposal, 0))
    assert counts(electorate, proposal) == (before, "0", "0")


def test_a_signed_proposal_is_its_proposers_alone(electorate: House) -> None:
    """Whoever sees it on its way could propose it first and cancel it: the id would be spent."""
    body = electorate.proposal_body(electorate.wallets[0], "mine", [("clip", "2")])
    chain, thief = electorate.ledger.chain, electorate.run.verifiers[0]
    actions = chain.decision_actions(body["description"], body["decisions"])
    with pytest.raises(ContractRejected, match="GovernorRestrictedProposer"):
        send(electorate.place.w3, thief, chain.governor.propose(actions, body["description"]))
    bare = {**body, "description": "mine"}
    check_refused(electorate.client.post("/v1/proposals", json=bare), 422, "bad-field")
    accepted(electorate.client.post("/v1/proposals", json=body))
    electorate.step()


def test_a_defeated_proposal_is_not_carried_out(electorate: House) -> None:
    proposal = electorate.propose(electorate.wallets[0], "unloved", [("inner_lr", "0.002")])
    electorate.wait(PARAMS.voting_delay + 1)
    for holder in (electorate.wallets[0], electorate.wallets[1]):
        accepted(electorate.vote(holder, proposal, 0))
    electorate.step(2)
    electorate.wait(PARAMS.voting_period + PARAMS.timelock_delay + 2)
    electorate.step(3)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "defeated"
    with electorate.ledger.store.read() as session:
        row = session.get_one(Proposal, proposal)
    assert (row.over, row.state) == (True, "defeated")  # nobody asks about it again
    assert electorate.get("/decisions") == []
    assert not [t for t in electorate.get("/transactions") if t["id"] in (f"queue:{proposal}", f"execute:{proposal}")]


def test_a_decision_that_no_run_can_obey_is_noted_as_refused(owned: House) -> None:
    """Made on the chain past the API: a key that is not votable, a value out of range, and a good one after them."""
    decisions = [("batch", "64"), ("inner_lr", "7"), ("weight_decay", "0.2")]
    chain, description = owned.ledger.chain, "past the API"
    actions = chain.decision_actions(description, decisions)
    w3, governor = owned.place.w3, chain.governor
    send(w3, owned.wallets[0], governor.propose(actions, description))
    proposal = governor.proposal_id(actions, description)
    owned.wait(PARAMS.voting_delay + 1)
    send(w3, owned.wallets[0], governor.cast_vote(proposal, 1))
    owned.wait(PARAMS.voting_period + 1)
    send(w3, owned.wallets[0], governor.queue(actions, description))
    owned.wait(PARAMS.timelock_delay + 2)
    send(w3, owned.wallets[0], governor.execute(actions, description))
    owned.step(2)
    assert [(key, applied) for key, applied, _ in taken(owned)] == [
        ("batch", False),
        ("inner_lr", False),
        ("weight_decay", True),
    ]
    assert "votable" in taken(owned)[0][2]
