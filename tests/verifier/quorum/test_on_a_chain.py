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
from tests.contracts.bindings.test_contracts import PARAMS, World
from verifier.quorum.chain import QuorumContracts
from verifier.quorum.store import Charter, DueMessage

pytestmark = pytest.mark.integration
EVER = 2**64 - 1


@pytest.fixture
def world() -> World:
    return World.fresh()


def contracts(world: World, number: int = 0) -> QuorumContracts:
    return QuorumContracts(world.w3, world.deployment, world.verifiers[number])


def signed(world: World, message: Charter, by: list[LocalAccount]) -> DueMessage:
    return DueMessage("0x", "", message, 0.0, world.signatures(message, by))


def test_a_root_is_proposed_and_made_final_after_its_window(world: World) -> None:
    root = signed(world, world.root(world.payouts(1)), world.verifiers[:2])
    own = contracts(world)
    assert own.bring(root) == "root of epoch 1"
    assert world.registry.epoch_of(1).status == EpochStatus.PROPOSED
    assert own.bring(root) == "", "its window is open"
    world.wait(PARAMS.challenge_window + 1)
    assert contracts(world, 1).bring(root) == "epoch 1 is final"
    assert world.registry.is_final(1)
    assert own.bring(root) == ""


def test_fewer_than_k_bring_nothing(world: World) -> None:
    assert contracts(world).bring(signed(world, world.root(world.payouts(1)), world.verifiers[:1])) == ""
    assert world.registry.epoch_of(1).status == EpochStatus.NONE


def test_a_root_whose_turn_or_time_it_is_not_waits(world: World) -> None:
    own, root = contracts(world), world.root(world.payouts(1))
    for other in (world.root(world.payouts(2)), replace(root, attempt=1), replace(root, deadline=world.now() - 1)):
        assert own.bring(signed(world, other, world.verifiers[:2])) == ""


def test_a_dispute_that_nobody_decides_lapses(world: World) -> None:
    root, own = signed(world, world.root(world.payouts(1)), world.verifiers[:2]), contracts(world)
    own.bring(root)
    world.send(world.registry.challenge(1), world.registry.bond())
    assert own.bring(root) == ""
    world.wait(world.registry.dispute_limit() + 1)
    assert own.bring(root) == "the dispute of epoch 1 lapsed"
    assert world.registry.epoch_of(1).attempt == 1


def test_a_cheats_stake_is_taken(world: World) -> None:
    nodes = NodeStakes(world.w3, world.registry.address)
    world.send(nodes.stake(), value=1_000)
    fault = NodeFault(world.model, world.deployer.address, b"p" * 32, EVER)
    assert contracts(world).bring(signed(world, fault, world.verifiers[:2])) == f"stake of {world.deployer.address}"
    assert nodes.stake_of(world.deployer.address) == 0


def test_a_verifiers_stake_is_taken_by_the_others(world: World) -> None:
    party = world.verifiers[2].address
    fault = VerifierFault(world.model, party, fault_evidence(ProofId("0x" + "3" * 64), "two-words"), EVER)
    assert contracts(world).bring(signed(world, fault, world.verifiers[:2])) == f"stake of {party}"
    assert world.registry.stake_of(party) < PARAMS.min_stake


def test_each_has_its_turn(world: World) -> None:
    assert sorted(contracts(world, number).turn() for number in range(3)) == [0, 1, 2]


def test_the_accused_is_not_among_those_who_bring_its_fault(world: World) -> None:
    """The registry refuses a judge of its own case, with all other signatures of the call."""
    accused = min(world.verifiers, key=lambda verifier: str(verifier.address))
    fault = VerifierFault(world.model, accused.address, fault_evidence(ProofId("0x" + "3" * 64), "two-words"), EVER)
    before = world.registry.stake_of(accused.address)
    honest = next(n for n, verifier in enumerate(world.verifiers) if verifier is not accused)
    assert contracts(world, honest).bring(signed(world, fault, world.verifiers)) == f"stake of {accused.address}"
    assert world.registry.stake_of(accused.address) < before
