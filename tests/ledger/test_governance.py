"""What holders decide reaches the run: proposed, voted, counted twice, executed and obeyed by the next round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain import ContractRejected, send
from contracts.run_config import RunConfig
from ledger.tables import DecisionRow, Proposal
from tests.databases import fresh_database
from tests.world import PARAMS, World, accepted, check_refused

pytestmark = pytest.mark.integration


def holders_of(world: World) -> World:
    """Epoch 1 paid 1000 units: half to the creator (who can pay gas), half to the second node's wallet."""
    world.create_run()
    world.enrol(world.nodes[0], payout=world.creator.address)
    world.enrol(world.nodes[1])
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.step()
    world.play_round()
    world.settle_epoch()
    for account in (world.creator, world.wallets[1]):
        world.claim(account.address)
    world.wait(2)  # votes count from the second after they were received
    return world


@pytest.fixture
def owned(alone: World) -> World:
    """For those who look at what the run does next."""
    return holders_of(alone)


@pytest.fixture(scope="module")
def electorate(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For those who only vote, each on a proposal of its own."""
    folder = tmp_path_factory.mktemp("electorate")
    with fresh_database(database_kind, folder) as url, World(folder, database=url) as world:
        yield holders_of(world)


def beat(world: World) -> None:
    for node in world.nodes:
        accepted(world.post("/heartbeats", world.heartbeat_message(node), node))


def carry(world: World, proposal: str, *votes: tuple[object, int]) -> None:
    """Vote, wait, queue and execute; the nodes of the open round stay alive."""
    world.wait(PARAMS.voting_delay + 1)
    for holder, support in votes:
        accepted(world.vote(holder, proposal, support))  # type: ignore[arg-type]
    world.step(2)
    world.wait(PARAMS.voting_period + 1)
    beat(world)
    world.step(2)
    world.wait(PARAMS.timelock_delay + 2)
    world.step(4)


def config(world: World, number: int) -> RunConfig:
    return RunConfig.from_json(world.round_view(number)["config"])


def test_a_decision_is_obeyed_by_the_next_round(owned: World) -> None:
    assert owned.run_view()["round"] == 2
    proposal = owned.propose(owned.creator, "faster", [("inner_lr", "0.002"), ("outer_lr", "0.5")])
    carry(owned, proposal, (owned.creator, 1), (owned.wallets[1], 1))
    assert owned.get(f"/proposals/{proposal}")["state"] == "executed"
    assert config(owned, 2).inner_lr == owned.config.inner_lr  # the round that was open keeps what it opened with
    owned.play_round()
    assert (config(owned, 3).inner_lr, config(owned, 3).outer_lr) == ("0.002", "0.5")
    rows = [(d["key"], d["value"], d["round"], d["outcome"]) for d in owned.get("/decisions")]
    assert rows == [("inner_lr", "0.002", 3, "applied"), ("outer_lr", "0.5", 3, "applied")]
    logged = [(e["key"], e["from_round"], e["outcome"]) for e in owned.log("decision")]
    assert logged == [("inner_lr", 3, "applied"), ("outer_lr", 3, "applied")]
    assert RunConfig.from_json(owned.round_view(3)["config"]).digest().hex() == owned.round_view(3)["config_digest"][2:]


def counts(world: World, proposal: str) -> tuple[str, str, str]:
    """Against, for and abstaining votes, on which API and Governor must agree."""
    world.step(2)
    tally = world.get(f"/proposals/{proposal}/tally")
    assert tally["api"] == tally["governor"]
    return tally["api"]["against"], tally["api"]["for"], tally["api"]["abstain"]


def test_both_counts_agree_with_the_ballots(electorate: World) -> None:
    creator, wallet = electorate.creator, electorate.wallets[1]
    mine, theirs = (str(electorate.ledger.chain.token.votes(a.address)) for a in (creator, wallet))
    proposal = electorate.propose(creator, "split", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    accepted(electorate.vote(creator, proposal, 1))
    assert counts(electorate, proposal) == ("0", mine, "0")
    accepted(electorate.vote(wallet, proposal, 0))
    assert counts(electorate, proposal) == (theirs, mine, "0")


def test_votes_cast_on_the_chain_itself_are_counted_too(electorate: World) -> None:
    """Nobody needs the API to vote."""
    creator, chain = electorate.creator, electorate.ledger.chain
    proposal = electorate.propose(creator, "direct", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    send(electorate.place.w3, creator, chain.governor.cast_vote(int(proposal), 2))
    assert counts(electorate, proposal) == ("0", "0", str(chain.token.votes(creator.address)))


def test_tokens_received_after_the_snapshot_do_not_vote(electorate: World) -> None:
    creator, late, token = electorate.creator, electorate.wallets[0], electorate.ledger.chain.token
    before = str(token.votes(creator.address))
    proposal = electorate.propose(creator, "late money", [("clip", "2")])
    electorate.wait(PARAMS.voting_delay + 1)
    send(electorate.place.w3, creator, token.transfer(late.address, 100))
    check_refused(electorate.vote(late, proposal, 1), 403, "no-votes")  # the relayer pays for none that weighs nothing
    accepted(electorate.vote(creator, proposal, 0))
    assert counts(electorate, proposal) == (before, "0", "0")


def test_a_signed_proposal_is_its_proposers_alone(electorate: World) -> None:
    """Whoever sees it on its way could propose it first and cancel it: the id would be spent."""
    body = electorate.proposal_body(electorate.creator, "mine", [("clip", "2")])
    chain, thief = electorate.ledger.chain, electorate.verifiers[0]
    actions = chain.decision_actions(body["description"], body["decisions"])
    with pytest.raises(ContractRejected, match="GovernorRestrictedProposer"):
        send(electorate.place.w3, thief, chain.governor.propose(actions, body["description"]))
    bare = {**body, "description": "mine"}
    check_refused(electorate.client.post("/v1/proposals", json=bare), 422, "bad-field")
    accepted(electorate.client.post("/v1/proposals", json=body))
    electorate.step()


def test_a_defeated_proposal_is_not_carried_out(electorate: World) -> None:
    proposal = electorate.propose(electorate.creator, "unloved", [("inner_lr", "0.002")])
    electorate.wait(PARAMS.voting_delay + 1)
    for holder in (electorate.creator, electorate.wallets[1]):
        accepted(electorate.vote(holder, proposal, 0))
    electorate.step(2)
    electorate.wait(PARAMS.voting_period + PARAMS.timelock_delay + 2)
    electorate.step(3)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "defeated"
    with electorate.ledger.store.read() as session:
        row = session.get_one(Proposal, proposal)
    assert (row.over, row.executed) == (True, False)  # nobody asks about it again
    assert electorate.get("/decisions") == []
    assert not [t for t in electorate.get("/transactions") if t["id"] in (f"queue:{proposal}", f"execute:{proposal}")]


def test_a_decision_that_no_run_can_obey_is_noted_as_refused(owned: World) -> None:
    """Made on the chain past the API: a key that is not votable, a value out of range, and a good one after them."""
    decisions = [("batch", "64"), ("inner_lr", "7"), ("weight_decay", "0.2")]
    chain, description = owned.ledger.chain, "past the API"
    actions = chain.decision_actions(description, decisions)
    w3, governor = owned.place.w3, chain.governor
    send(w3, owned.creator, governor.propose(actions, description))
    proposal = governor.proposal_id(actions, description)
    owned.wait(PARAMS.voting_delay + 1)
    send(w3, owned.creator, governor.cast_vote(proposal, 1))
    owned.wait(PARAMS.voting_period + 1)
    send(w3, owned.creator, governor.queue(actions, description))
    owned.wait(PARAMS.timelock_delay + 2)
    send(w3, owned.creator, governor.execute(actions, description))
    beat(owned)
    owned.step(2)
    owned.play_round()
    rows = [(d["key"], d["outcome"].split(":")[0], d["round"]) for d in owned.get("/decisions")]
    assert rows == [("batch", "refused", 3), ("inner_lr", "refused", 3), ("weight_decay", "applied", 3)]
    assert "votable" in owned.get("/decisions")[0]["outcome"]
    assert (config(owned, 3).batch, config(owned, 3).inner_lr) == (owned.config.batch, owned.config.inner_lr)
    assert config(owned, 3).weight_decay == "0.2"


def decide(world: World, sequence: int, key: str, value: str) -> None:
    with world.ledger.store.write() as session:
        session.add(DecisionRow(sequence=sequence, key=key, value=value, block=1))


def test_every_run_obeys_a_decision_and_a_later_run_starts_from_its_own_config(world: World) -> None:
    """One run's reading of a decision does not use it up; what was decided before a run is its creator's to include."""
    first = world.start().run
    second = world.start(nonce=2).run
    decide(world, 1, "clip", "2")
    third = world.create_run(nonce=3)
    for run in (first, second):
        world.run = run
        world.play_round()
        assert config(world, 2).clip == "2"
    world.run = third
    for node in world.nodes:
        world.enrol(node)
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.step()
    assert config(world, 1).clip == "1"
    decide(world, 2, "clip", "3")
    world.play_round()
    assert config(world, 2).clip == "3"


def test_holders_may_prolong_a_run_that_has_ended(world: World) -> None:
    world.config = world.config.with_decision("rounds", "1")
    world.start().play_round()
    world.step()
    assert (world.run_view()["phase"], world.run_view()["round"]) == ("complete", 1)
    decide(world, 1, "rounds", "2")
    world.step()
    assert (world.run_view()["phase"], world.run_view()["round"]) == ("training", 2)
    world.play_round()
    assert [(e["first_round"], e["last_round"]) for e in world.get("/epochs")] == [(1, 1), (2, 2)]
