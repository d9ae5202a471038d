"""What is owed can be had: no vote and no pause takes it, and nothing that passed lives for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from contracts.bindings.governor import Action, ProposalState
from contracts.chain.connection import contract_at, send
from contracts.genesis.terms import GRACE
from tests.contracts.bindings.deployed_model import DeployedModel, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration
PAUSE = 14 * 86_400


@pytest.fixture
def model() -> DeployedModel:
    """Its holder has half of epoch 1, and so all votes; the other half is owed to the deployer."""
    made = DeployedModel.fresh()
    made.send(made.claim(made.finalized(1), 0))
    made.wait(2)
    return made


@holds("A receipt belongs to its minter", by="contracts/solidity/ModelToken.sol:mint", against=Threat.LOST_FUNDS)
def test_no_vote_takes_what_a_final_epoch_owes(model: DeployedModel) -> None:
    """Before: the budget set to nothing, or a unit minted under the receipt, and it was "paid" for ever."""
    payouts, token = model.payouts(1), model.token
    owed = payouts[1]
    model.carry(Action.of(token.set_budget(model.deployment.distributor, 0)), "nothing for those who come late")
    assert token.reserved_of(model.deployment.distributor) == owed.amount
    model.carry(Action.of(token.set_budget(model.deployer.address, 5)), "another minter")
    model.send(token.reserve(5))
    model.send(token.mint(owed.leaf(), model.rival.address, 1))
    model.send(model.claim(payouts, 1))
    assert token.balance_of(owed.account) == owed.amount
    assert (model.distributor.is_claimed(1, owed.index), token.allotted()) == (True, 900 * 2 + 5)


def test_nobody_claims_for_a_contract_but_itself(model: DeployedModel) -> None:
    """Before, anybody sent a contract's tokens into it, where it might be unable to move them."""
    epoch = model.payouts(2)
    timelock = model.deployment.timelock
    epoch[1] = replace(epoch[1], account=timelock)
    model.finalize(epoch)
    with refused("EpochDistributorClaimNotSigned"):
        model.send(model.claim(epoch, 1))
    assert model.distributor.only_its_own(timelock)
    assert not model.distributor.only_its_own(model.holder.address)
    model.carry(Action.of(model.claim(epoch, 1)), "what the treasury earned")
    assert model.token.balance_of(timelock) == epoch[1].amount


@holds(
    "The pay of a root is reserved when the root is proposed",
    by="contracts/solidity/EpochRoots.sol:propose",
    against=Threat.LOST_FUNDS,
)
def test_a_root_above_what_can_be_reserved_is_refused(model: DeployedModel) -> None:
    model.carry(Action.of(model.token.set_budget(model.deployment.distributor, 1_799)), "less than an epoch pays")
    root = model.root(model.payouts(2))
    with refused("ModelTokenBudgetExceeded"):
        model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    less = model.root(model.payouts(2, 899))
    model.send(model.registry.propose(less, model.signatures(less, model.verifiers[:2])))
    assert model.token.budget_of(model.deployment.distributor) == 1


def test_only_the_registry_reserves_for_the_distributor(model: DeployedModel) -> None:
    for call in ("reserve", "release"):
        raw = model.w3.eth.contract(
            address=Web3.to_checksum_address(model.deployment.distributor),
            abi=[
                {
                    "name": call,
                    "type": "function",
                    "stateMutability": "nonpayable",
                    "outputs": [],
                    "inputs": [{"name": "amount", "type": "uint256"}],
                }
            ],
        )
        with pytest.raises(Exception, match=r"0x|EpochDistributorNotRegistry|revert"):
            send(model.w3, model.deployer, raw.functions[call](1))
    assert model.token.reserved_of(model.deployment.distributor) == 900


@holds(
    "A pause of claims ends by itself",
    by="contracts/solidity/ModelToken.sol:setMintingPaused",
    against=Threat.LOST_FUNDS,
)
def test_a_pause_of_claims_ends_by_itself(model: DeployedModel) -> None:
    model.carry(Action.of(model.token.set_minting_paused(True)), "stop it")
    with refused("ModelTokenMintingPaused"):
        model.send(model.claim(model.payouts(1), 1))
    model.wait(PAUSE)
    with refused("ModelTokenPauseTooSoon"):
        model.as_timelock(model.token.set_minting_paused(True))
    model.send(model.claim(model.payouts(1), 1))


def passed(model: DeployedModel, text: str) -> tuple[list[Action], int]:
    """A proposal that passed, and waits to be queued."""
    actions = [Action.of(model.models.decide(model.id, text.encode().ljust(32), "clip", "2"))]
    signature = model.governor.sign_proposal(model.holder, actions, text, 2**40)
    model.send(model.governor.propose_by_sig(model.holder.address, actions, text, 2**40, signature))
    proposal = model.governor.proposal_id(actions, text)
    model.wait(3)
    model.send(model.governor.relay_votes([model.governor.sign_ballot(model.holder, proposal, 1)]))
    model.wait(40)
    return actions, proposal


@holds(
    "A passed proposal expires after a stated time",
    by="contracts/solidity/ModelTimelock.sol:getOperationState",
    against=Threat.TAKEOVER,
)
@pytest.mark.parametrize("queued", [False, True])
def test_what_passed_lives_for_a_stated_time(model: DeployedModel, queued: bool) -> None:
    """Before: a mint that was queued once was executed a year later by a minority, and nobody could stop it."""
    actions, proposal = passed(model, "later")
    if queued:
        model.send(model.governor.queue(actions, "later"))
    model.wait(GRACE + 10)
    assert model.governor.state(proposal) is ProposalState.EXPIRED
    for call in (model.governor.queue, model.governor.execute):
        with refused("GovernorUnexpectedProposalState"):
            model.send(call(actions, "later"))


def test_objections_that_outweigh_the_votes_cancel(model: DeployedModel) -> None:
    """The late claimer holds as much as the first: not more, so not enough, until it has some of the other's."""
    actions, proposal = passed(model, "in haste")
    model.send(model.governor.queue(actions, "in haste"))
    model.send(model.claim(model.payouts(1), 1))
    model.wait(2)
    found, digest = model.governor.calls_of(proposal, model.deployment.block)
    assert (found, digest) == (actions, Web3.keccak(text="in haste"))
    at = model.now() - 1
    send(model.w3, model.deployer, model.governor.object_to(found, digest, at))
    assert model.governor.objections_to(proposal, at) == 900
    assert model.governor.state(proposal) is ProposalState.QUEUED
    with refused("ModelGovernorObjectionCast"):
        send(model.w3, model.deployer, model.governor.object_to(found, digest, at))


@holds(
    "Objections with more votes than a passed proposal cancel it",
    by="contracts/solidity/ModelGovernor.sol:objectTo",
    against=Threat.TAKEOVER,
)
def test_a_late_majority_stops_a_decision_made_before_it(model: DeployedModel) -> None:
    actions, proposal = passed(model, "before they came")
    model.finalized(2)
    model.send(model.claim(model.payouts(1), 1))
    model.send(model.claim(model.payouts(2), 1))
    model.send(model.governor.queue(actions, "before they came"))
    model.wait(2)
    at = model.now() - 1
    ended = int(model.governor.deadline(proposal))
    for second, error in ((ended - 1, "ModelGovernorObjectionTooEarly"), (model.now() + 60, "ERC5805FutureLookup")):
        with refused(error):
            send(model.w3, model.deployer, model.governor.object_to(actions, "before they came", second))
    for second in (ended, at):  # who has nothing weighs down no objection
        send(model.w3, model.rival, model.governor.object_to(actions, "before they came", second))
    send(model.w3, model.deployer, model.governor.object_to(actions, "before they came", at))
    assert model.governor.objections_to(proposal, at) == 1_800
    assert model.governor.state(proposal) is ProposalState.CANCELED
    model.wait(6)
    with refused("GovernorUnexpectedProposalState"):
        model.send(model.governor.execute(actions, "before they came"))


RULES = {
    "setVotingPeriod": (14, 61, 15),
    "updateQuorumNumerator": (1, 9, 3),
    "setVotingDelay": (0, 3, 2),
    "setProposalThreshold": (None, 11, 10),
}
"""Below and above what genesis set (half and double), and within."""


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_of_votes_stay_within_what_genesis_set(model: DeployedModel, rule: str) -> None:
    """Before, one batch set delay, period, quorum and timelock to nothing, and the next decision took nine seconds."""
    governor = contract_at(model.w3, "ModelGovernor", model.deployment.governor).functions
    below, above, within = RULES[rule]
    for value in (below, above):
        if value is not None:
            with refused("ModelGovernorOutOfBounds"):
                model.carry(Action.of(governor[rule](value)), f"{rule} {value}")
            model.wait(60)
    model.carry(Action.of(governor[rule](within)), f"{rule} {within}")
