"""Who objects is heard at the second at which objections weigh most, whatever seconds strangers named before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount

from commonweight.governance.ballots import GovernanceClient
from contracts.bindings.governor import ProposalState
from contracts.chain.connection import send
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.contracts.bindings.test_owed import passed

pytestmark = pytest.mark.integration


def client_of(model: DeployedModel) -> GovernanceClient:
    made = object.__new__(GovernanceClient)
    made.governor, made.token = model.governor, model.token
    return made


def given(model: DeployedModel, epoch: int, account: LocalAccount, amount: int) -> None:
    line = [replace(p, account=account.address, amount=amount) for p in model.payouts(epoch)]
    model.finalize(line)
    model.send(model.claim(line, 0))


def test_a_strangers_dust_steers_no_majority_to_its_second() -> None:
    """900 passed it; 905 object, of which 900 came since. Before, they were weighed where they had 5."""
    model = DeployedModel.fresh()
    model.send(model.claim(model.finalized(1), 0))
    given(model, 2, model.deployer, 5)
    friend = model.verifiers[0]
    send(model.w3, friend, model.token.delegate(friend.address))
    given(model, 3, friend, 1)
    model.wait(2)
    actions, proposal = passed(model, "in haste")
    ended = model.governor.deadline(proposal)
    send(model.w3, friend, model.governor.object_to(actions, "in haste", ended))
    model.send(model.governor.queue(actions, "in haste"))
    model.send(model.claim(model.payouts(1), 1))
    model.wait(1)
    at = client_of(model)._second(model.deployer.address, proposal, model.deployment.block)
    assert at > ended
    send(model.w3, model.deployer, model.governor.object_to(actions, "in haste", at))
    assert model.governor.state(proposal) is ProposalState.CANCELED


def test_an_empty_objection_does_not_split_objectors() -> None:
    """Holders who bought since meet at one second; who objected at another before goes there too."""
    model = DeployedModel.fresh()
    model.send(model.claim(model.finalized(1), 0))  # 900 for it
    given(model, 2, model.deployer, 500)
    carol, stranger = model.verifiers[0], model.rival
    send(model.w3, carol, model.token.delegate(carol.address))
    model.wait(2)
    actions, proposal = passed(model, "in haste")
    ended, first = model.governor.deadline(proposal), model.deployment.block
    send(model.w3, stranger, model.governor.object_to(actions, "in haste", ended))  # nothing, at the first second
    client = client_of(model)
    early = client._second(model.deployer.address, proposal, first)
    assert early > ended, "an empty objection is no reason to meet there"
    send(model.w3, model.deployer, model.governor.object_to(actions, "in haste", early))
    given(model, 3, carol, 450)
    model.wait(2)
    late = client._second(carol.address, proposal, first)
    assert late > early, "she had nothing then"
    send(model.w3, carol, model.governor.object_to(actions, "in haste", late))
    assert model.governor.state(proposal) is not ProposalState.CANCELED
    again = client._second(model.deployer.address, proposal, first)
    assert again == late, "450 are there"
    send(model.w3, model.deployer, model.governor.object_to(actions, "in haste", again))
    assert model.governor.state(proposal) is ProposalState.CANCELED
