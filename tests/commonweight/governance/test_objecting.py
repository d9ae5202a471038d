"""Who objects is heard at the second at which objections weigh most, whatever seconds strangers named before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from commonweight.governance.ballots import GovernanceClient
from contracts.bindings.governor import ProposalState
from contracts.chain.connection import send
from tests.contracts.bindings.test_contracts import World
from tests.contracts.bindings.test_owed import passed

pytestmark = pytest.mark.integration


def client_of(world: World) -> GovernanceClient:
    made = object.__new__(GovernanceClient)
    made.governor, made.token = world.governor, world.token
    return made


def given(world: World, epoch: int, account: LocalAccount, amount: int) -> None:
    line = [replace(p, account=account.address, amount=amount) for p in world.payouts(epoch)]
    world.finalize(line)
    world.send(world.claim(line, 0))


def test_a_strangers_dust_steers_no_majority_to_its_second() -> None:
    """900 passed it; 905 object, of which 900 came since. Before, they were weighed where they had 5."""
    world = World.fresh()
    world.send(world.claim(world.finalized(1), 0))
    given(world, 2, world.deployer, 5)
    friend = world.verifiers[0]
    send(world.w3, friend, world.token.delegate(friend.address))
    given(world, 3, friend, 1)
    world.wait(2)
    actions, proposal = passed(world, "in haste")
    ended = world.governor.deadline(proposal)
    send(world.w3, friend, world.governor.object_to(actions, "in haste", ended))
    world.send(world.governor.queue(actions, "in haste"))
    world.send(world.claim(world.payouts(1), 1))
    world.wait(1)
    at = client_of(world)._second(world.deployer.address, proposal, world.deployment.block)
    assert at > ended
    send(world.w3, world.deployer, world.governor.object_to(actions, "in haste", at))
    assert world.governor.state(proposal) is ProposalState.CANCELED


def test_an_empty_objection_does_not_split_objectors() -> None:
    """Holders who bought since meet at one second; who objected at another before goes there too."""
    world = World.fresh()
    world.send(world.claim(world.finalized(1), 0))  # 900 for it
    given(world, 2, world.deployer, 500)
    carol, stranger = world.verifiers[0], world.rival
    send(world.w3, carol, world.token.delegate(carol.address))
    world.wait(2)
    actions, proposal = passed(world, "in haste")
    ended, first = world.governor.deadline(proposal), world.deployment.block
    send(world.w3, stranger, world.governor.object_to(actions, "in haste", ended))  # nothing, at the first second
    client = client_of(world)
    early = client._second(world.deployer.address, proposal, first)
    assert early > ended, "an empty objection is no reason to meet there"
    send(world.w3, world.deployer, world.governor.object_to(actions, "in haste", early))
    given(world, 3, carol, 450)
    world.wait(2)
    late = client._second(carol.address, proposal, first)
    assert late > early, "she had nothing then"
    send(world.w3, carol, world.governor.object_to(actions, "in haste", late))
    assert world.governor.state(proposal) is not ProposalState.CANCELED
    again = client._second(world.deployer.address, proposal, first)
    assert again == late, "450 are there"
    send(world.w3, world.deployer, world.governor.object_to(actions, "in haste", again))
    assert world.governor.state(proposal) is ProposalState.CANCELED
