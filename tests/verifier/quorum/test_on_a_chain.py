"""k verifiers bring what they signed to the chain themselves: no server is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.verifier_registry import EpochStatus
from contracts.ids import ProofId
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.protocol.faults import fault_evidence
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel
from verifier.quorum.chain import QuorumContracts
from verifier.quorum.store import Charter, DueMessage

pytestmark = pytest.mark.integration
EVER = 2**64 - 1


@pytest.fixture
def model() -> DeployedModel:
    return DeployedModel.fresh()


def contracts(model: DeployedModel, number: int = 0) -> QuorumContracts:
    return QuorumContracts(model.w3, model.deployment, model.verifiers[number])


def signed(model: DeployedModel, message: Charter, by: list[LocalAccount]) -> DueMessage:
    return DueMessage("0x", "", message, 0.0, model.signatures(message, by))


def test_a_root_is_proposed_and_made_final_after_its_window(model: DeployedModel) -> None:
    root = signed(model, model.root(model.payouts(1)), model.verifiers[:2])
    own = contracts(model)
    assert own.bring(root) == "root of epoch 1"
    assert model.registry.epoch_of(1).status == EpochStatus.PROPOSED
    assert own.bring(root) == "", "its window is open"
    model.wait(PARAMS.challenge_window + 1)
    assert contracts(model, 1).bring(root) == "epoch 1 is final"
    assert model.registry.is_final(1)
    assert own.bring(root) == ""


def test_fewer_than_k_bring_nothing(model: DeployedModel) -> None:
    assert contracts(model).bring(signed(model, model.root(model.payouts(1)), model.verifiers[:1])) == ""
    assert model.registry.epoch_of(1).status == EpochStatus.NONE


def test_a_root_whose_turn_or_time_it_is_not_waits(model: DeployedModel) -> None:
    own, root = contracts(model), model.root(model.payouts(1))
    for other in (model.root(model.payouts(2)), replace(root, attempt=1), replace(root, deadline=model.now() - 1)):
        assert own.bring(signed(model, other, model.verifiers[:2])) == ""


def test_a_dispute_that_nobody_decides_lapses(model: DeployedModel) -> None:
    root, own = signed(model, model.root(model.payouts(1)), model.verifiers[:2]), contracts(model)
    own.bring(root)
    model.send(model.registry.challenge(1), model.registry.bond())
    assert own.bring(root) == ""
    model.wait(model.registry.dispute_limit() + 1)
    assert own.bring(root) == "the dispute of epoch 1 lapsed"
    assert model.registry.epoch_of(1).attempt == 1


def test_a_cheats_stake_is_taken(model: DeployedModel) -> None:
    nodes = NodeStakes(model.w3, model.registry.address)
    model.send(nodes.stake(), value=1_000)
    fault = NodeFault(model.id, model.deployer.address, b"p" * 32, EVER)
    assert contracts(model).bring(signed(model, fault, model.verifiers[:2])) == f"stake of {model.deployer.address}"
    assert nodes.stake_of(model.deployer.address) == 0


def test_a_verifiers_stake_is_taken_by_the_others(model: DeployedModel) -> None:
    party = model.verifiers[2].address
    fault = VerifierFault(model.id, party, fault_evidence(ProofId("0x" + "3" * 64), "two-words"), EVER)
    assert contracts(model).bring(signed(model, fault, model.verifiers[:2])) == f"stake of {party}"
    assert model.registry.stake_of(party) < PARAMS.min_stake


def test_each_has_its_turn(model: DeployedModel) -> None:
    assert sorted(contracts(model, number).turn() for number in range(3)) == [0, 1, 2]


def test_the_accused_is_not_among_those_who_bring_its_fault(model: DeployedModel) -> None:
    """The registry refuses a judge of its own case, with all other signatures of the call."""
    accused = min(model.verifiers, key=lambda verifier: str(verifier.address))
    fault = VerifierFault(model.id, accused.address, fault_evidence(ProofId("0x" + "3" * 64), "two-words"), EVER)
    before = model.registry.stake_of(accused.address)
    honest = next(n for n, verifier in enumerate(model.verifiers) if verifier is not accused)
    assert contracts(model, honest).bring(signed(model, fault, model.verifiers)) == f"stake of {accused.address}"
    assert model.registry.stake_of(accused.address) < before
