"""A node whose proof k verifiers rejected loses stake: the ledger lists it, each who signs finds it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.messages import NodeFault, Verdict, to_json
from contracts.pledge import Pledge
from contracts.reasons import Reason
from contracts.signing import sign
from tests.world import REJECT, UNDECIDED, World, accepted, check_refused, hexed, key_of, octets
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of
from verifier.duties import Duties
from verifier.errors import AuditFailed
from verifier.guilt import is_node_at_fault

pytestmark = pytest.mark.integration
STAKE, PHASE = 10**15, 200


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made


def staked(world: World, **changes: Any) -> str:
    """A committed proof of the first node, which has a stake; returns the proof."""
    world.stake_node(world.nodes[0], STAKE)
    world.start(**{"auditFloor": 500_000, "nodeStake": STAKE, **changes})
    proof, _ = (world.commit(n) for n in world.nodes)
    world.mine()
    world.step()
    return proof


def reject(world: World, proof: str, reason: Reason = Reason.REPLAY_MISMATCH) -> None:
    world.dispute(proof)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof, REJECT, reason=int(reason))
    assert world.get(f"/proofs/{proof}/status")["state"] == "voided"


def later(world: World, seconds: int = PHASE + 1) -> list[dict[str, Any]]:
    """The faults listed after a while."""
    world.clock.now += seconds
    world.step()
    return list(world.get(f"/runs/{world.run}/node-faults"))


def duties(world: World, verifier: LocalAccount) -> Duties:
    client = world.api_client(verifier)
    return Duties(client, world.run, world.folder / verifier.address, SimpleNamespace(), 3)  # type: ignore[arg-type]


def settle(world: World) -> None:
    for _ in range(3):
        world.mine()
        world.step()


def test_a_rejected_node_loses_its_stake_once_it_had_time_to_appeal(world: World) -> None:
    proof, nodes = staked(world), world.ledger.chain.nodes
    reject(world, proof)
    assert later(world, PHASE) == []
    (fault,) = later(world, 1)
    assert (fault["proof"], fault["node"], fault["signatures"]) == (proof, world.nodes[0].address, [])
    said: list[str] = []
    for verifier in world.verifiers[:2]:
        duties(world, verifier).sign_node_faults(world.known(), lambda event, _proof, _detail: said.append(event))
    settle(world)
    assert said == ["fault signed"] * 2
    assert nodes.stake_of(world.nodes[0].address) == 0
    assert world.place.w3.eth.get_balance(world.place.deployment.timelock) == STAKE
    assert len(world.get(f"/runs/{world.run}/node-faults")) == 1


@pytest.mark.parametrize(
    "reason", [Reason.OPENING_WITHHELD, Reason.PSEUDO_GRADIENT_MISMATCH, Reason.END_STATE_MISMATCH]
)
def test_silence_and_other_lies_cost_the_stake_too(world: World, reason: Reason) -> None:
    proof = staked(world)
    reject(world, proof, reason)
    assert [fault["proof"] for fault in later(world)] == [proof]
    assert is_node_at_fault(*world.known()(proof))


def test_what_is_nobodys_fault_costs_nothing(world: World) -> None:
    proof = staked(world)
    for verifier in world.verifiers:
        world.judge(verifier, proof, UNDECIDED)
    assert world.get(f"/proofs/{proof}/status")["reason"] == "quorum-missing"
    assert later(world) == []
    assert not is_node_at_fault(*world.known(1)(proof))


def test_drift_and_a_machine_of_another_kind_cost_nothing(world: World) -> None:
    proof = staked(world)
    reject(world, proof, Reason.DRIFT)
    assert later(world) == []
    assert not is_node_at_fault(*world.known()(proof))


def test_a_canary_that_was_caught_costs_nothing(world: World) -> None:
    world.pledges[world.nodes[0].address] = Pledge(b"\x05" * 32, 0)
    proof = staked(world)
    reject(world, proof)
    accepted(world.post("/pledges", world.pledge_message(proof), world.nodes[0]))
    assert later(world) == []
    assert not is_node_at_fault(*world.known()(proof))


def test_an_appeal_holds_the_fault_up_until_it_is_lost(world: World) -> None:
    proof = staked(world)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    world.open_wanted(proof, world.train(world.nodes[0]))
    reject(world, proof)
    world.appeal(proof)
    settle(world)
    assert world.get(f"/appeals/{proof}")["state"] == "bisecting"
    assert later(world, PHASE // 2) == []


def test_a_run_without_stakes_lists_nobody(world: World) -> None:
    proof = staked(world, auditFloor=1_000_000)
    reject(world, proof)
    assert later(world) == []


def test_only_a_listed_fault_can_be_signed_and_as_it_is_listed(world: World) -> None:
    proof, verifier = staked(world), world.verifiers[0]
    reject(world, proof)
    beside = {"domain": world.epoch_domain, "signer": verifier.address}
    early = NodeFault(world.ledger.chain.model, world.nodes[0].address, octets(proof), world.deadline())
    check_refused(world.post("/node-faults/signatures", early, verifier, **beside), 404, "not-found")
    (fault,) = later(world)
    other = NodeFault(world.ledger.chain.model, world.nodes[1].address, octets(proof), fault["message"]["deadline"])
    check_refused(world.post("/node-faults/signatures", other, verifier, **beside), 422, "binding-mismatch")


def test_a_verifier_does_not_sign_what_it_does_not_find(world: World) -> None:
    """The ledger lists a fault, and shows verdicts that do not carry it."""
    proof = staked(world)
    reject(world, proof)
    later(world)
    said: list[str] = []
    duties(world, world.verifiers[2]).sign_node_faults(
        world.known(3), lambda event, _proof, _detail: said.append(event)
    )
    assert said == ["disagrees"]
    assert world.get(f"/runs/{world.run}/node-faults")[0]["signatures"] == []


def test_the_word_of_strangers_or_about_another_proof_counts_nothing(world: World) -> None:
    """Only verdicts that the audited log holds, of verifiers of the round's block, about this very proof."""
    proof = staked(world)
    reject(world, proof)
    found, bench = world.known()(proof)
    assert is_node_at_fault(found, bench)
    assert not is_node_at_fault(found, replace(bench, members=frozenset({key_of("stranger").address})))
    assert not is_node_at_fault(*world.known()(str(world.round_view()["proofs"][1]["proof"])))
    for forged in (verdict(world, key_of("stranger"), proof), verdict(world, world.verifiers[2], "0x" + "07" * 32)):
        audit = audit_of(world)
        with pytest.raises(AuditFailed):
            audit.take(len(world.log()), json.dumps({"kind": "verdict", **forged}))
    assert is_node_at_fault(audit_of(world).proof(proof), bench)


def audit_of(world: World) -> LogAudit:
    """The log as an outsider reads it."""
    audit = LogAudit(authority_of(world.place.w3, world.place.deployment))
    for index, entry in enumerate(world.log()):
        audit.take(index, json.dumps(entry))
    return audit


def verdict(world: World, key: LocalAccount, proof: str) -> dict[str, Any]:
    """A signed rejection at stage 2, as the API shows it."""
    said = Verdict(octets(proof), key.address, 2, REJECT, int(Reason.REPLAY_MISMATCH), 0, 1, 0, world.deadline())
    return {"message": to_json(said), "signature": hexed(sign(said, world.domain, bytes(key.key)))}
