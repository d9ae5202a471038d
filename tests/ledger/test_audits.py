"""A staked node is read less as its record grows, what the coin spares is posted unread, and the log proves it all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.audit_rate import MILLION, AuditPolicy
from contracts.chain import send
from contracts.pledge import Pledge
from ledger.chain import ModelChain
from tests.world import REJECT, World, accepted, check_refused
from verifier.audit import LogAudit
from verifier.audit_state import Authority
from verifier.chain_authority import authority_of
from verifier.errors import AuditFailed

pytestmark = pytest.mark.integration
FLOOR, STAKE = 1, 10**15  # a floor of a millionth: with a full record nearly everything is spared
STREAK = AuditPolicy(FLOOR).streak
Entry = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1, database=database) as made:
        yield made


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The coin has spared a proof of its node; only to be read."""
    with World(tmp_path_factory.mktemp("trusted") / "world", nodes=1) as made:
        begin(made)
        spared(made)
        yield made


def begin(world: World, **changes: Any) -> None:
    """A run of many rounds whose only node has staked."""
    world.config = world.config.with_decision("rounds", "60")
    world.stake_node(world.nodes[0], STAKE)
    world.start(auditFloor=FLOOR, nodeStake=STAKE, roundsPerEpoch=60, **changes)


def rate(world: World) -> int:
    """Of the newest round's only node."""
    return int(world.round_view()["nodes"][0]["rate"])


def play(world: World) -> Any:
    """One honest round; returns its proof's status."""
    proof = world.commit(world.nodes[0])
    world.mine()
    world.step()
    if world.get(f"/proofs/{proof}/status")["audited"]:
        world.decide(proof)
    world.own_up(proof)
    world.step()
    world.close_round()
    return world.get(f"/proofs/{proof}/status")


def audit(
    world: World, change: Callable[[Entry], Entry] = lambda entry: entry, authority: Authority | None = None
) -> None:
    """Read the whole log as a verifier does, with entries or the chain's word changed."""
    audit = LogAudit(authority or authority_of(world.place.w3, world.place.deployment))
    for index, entry in enumerate(world.log()):
        audit.take(index, json.dumps(change(entry)))


def spared(world: World) -> Any:
    """Play until the coin spares a proof; its status."""
    for _ in range(40):
        status = play(world)
        assert status["state"] == "posted"
        if not status["audited"]:
            return status
    raise AssertionError("the coin spared none of 40 proofs")


def test_the_rate_halves_with_the_record_and_rises_at_once_on_a_failure(world: World) -> None:
    begin(world)
    for _ in range(STREAK):
        assert rate(world) == MILLION
        assert play(world)["audited"]
    assert rate(world) == MILLION // 2
    status = spared(world)
    assert world.get(f"/proofs/{status['proof']}")["verdicts"] == []
    assert world.get(f"/proofs/{status['proof']}/status")["panel"] == []
    assert int(world.get("/balances/work")[world.wallets[0].address]) == status["work"] * int(status["round"])
    audit(world)
    while True:
        proof = world.commit(world.nodes[0])
        world.mine()
        world.step()
        if world.get(f"/proofs/{proof}/status")["audited"]:
            break
        world.own_up(proof)
        world.step()
        world.close_round()
    world.decide(proof, REJECT)
    world.step()
    world.close_round()
    assert rate(world) == MILLION
    audit(world)


def test_nobody_is_asked_to_judge_what_was_spared_and_a_canary_is_not_paid(world: World) -> None:
    begin(world)
    for _ in range(STREAK):
        play(world)
    world.pledges[world.nodes[0].address] = Pledge(b"\x05" * 32, 0)
    for _ in range(40):
        proof = world.commit(world.nodes[0])
        world.mine()
        world.step()
        if not world.get(f"/proofs/{proof}/status")["audited"]:
            break
        world.decide(proof)
        world.step()
        world.close_round()
    verifier = world.verifiers[0]
    check_refused(world.post("/challenges", world.challenge_message(verifier, proof), verifier), 403, "not-verifier")
    world.own_up(proof)
    status = world.get(f"/proofs/{proof}/status")
    assert (status["state"], status["reason"]) == ("voided", "canary")
    audit(world)


def test_who_is_read_less_may_not_name_another_machine(world: World) -> None:
    """Nobody could judge it, so that a fake would cost nothing."""
    begin(world)
    for _ in range(STREAK):
        play(world)
    work = world.train(world.nodes[0])
    answer = world.post_proof(work, world.proof_message(work, profile=b"\x09" * 32))
    check_refused(answer, 422, "binding-mismatch")
    assert "profile must be" in answer.json()["detail"]


def test_a_node_that_took_its_stake_back_is_read_again(world: World) -> None:
    begin(world)
    for _ in range(STREAK):
        play(world)
    assert rate(world) == MILLION // 2
    send(world.place.w3, world.nodes[0], world.ledger.chain.nodes.request_withdrawal(1))
    play(world)
    assert rate(world) == MILLION
    audit(world)


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("round-opened", "nodes", lambda nodes: [{**n, "rate": 7} for n in nodes], "where its record gives"),
        ("proof-spared", "beacon", lambda _beacon: "0x" + "07" * 32, "beacon is not the chain's block"),
        ("round-opened", "block", lambda _block: 1, "before the creation of the VerifierRegistry"),
        ("round-opened", "block", lambda _block: 10**9, "past .*, the chain's newest"),
    ],
)
def test_a_lower_rate_or_a_spared_proof_that_does_not_follow_is_noticed(
    trusted: World, kind: str, field: str, value: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(AuditFailed, match=said):
        audit(trusted, lambda entry: {**entry, field: value(entry[field])} if entry["kind"] == kind else entry)


def test_a_lower_rate_without_a_stake_is_noticed(trusted: World) -> None:
    authority = replace(authority_of(trusted.place.w3, trusted.place.deployment), node_stake=lambda _node, _block: 0)
    with pytest.raises(AuditFailed, match="audited less without a stake"):
        audit(trusted, authority=authority)


def test_sparing_a_proof_that_the_coin_says_to_read_is_noticed(trusted: World) -> None:
    drawn = trusted.log("panel-drawn")[0]
    lie = {"kind": "proof-spared", "proof": drawn["proof"], "beacon": drawn["beacon"], "rate": 1}
    with pytest.raises(AuditFailed, match="that the coin says to read"):
        audit(trusted, lambda entry: {**entry, **lie} if entry == drawn else entry)


def test_a_beacon_from_before_the_round_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that helps a node lets it know the beacon while it still makes up its commitment."""
    world.create_run()
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.mine(20)
    world.step()  # the chain is read up to here
    world.enrol(world.nodes[0])
    world.step()
    monkeypatch.setattr(ModelChain, "head", lambda chain: chain.final() - 13)
    world.play_round()
    with pytest.raises(AuditFailed, match="beacon is older than the round"):
        audit(world)


@pytest.mark.parametrize(
    "rules",
    [
        {"auditFloor": 0},
        {"auditFloor": MILLION + 1},
        {"auditFloor": 5, "nodeStake": 0},
        {"auditFloor": 5, "nodeStake": 10**18 + 1},
    ],
)
def test_a_rule_that_asks_for_no_stake_is_refused(world: World, rules: dict[str, int]) -> None:
    blob = world.start().run_view()["genesis_blob"]
    message = world.manifest_message(nonce=9, **rules)
    answer = world.post("/runs", message, world.creator, config=world.config.to_json(), genesis_blob=blob)
    check_refused(answer, 422, "bad-field")
    assert accepted(world.client.get("/v1/runs"))[0]["run"] == world.run
