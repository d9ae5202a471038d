"""What is owed can be had: no vote and no pause takes it, and nothing that passed lives for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from contracts.bindings.governor import Action, ProposalState
from contracts.chain.connection import contract_at, send
from contracts.genesis.terms import GRACE
from tests.contracts.bindings.test_contracts import World, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration
PAUSE = 14 * 86_400


@pytest.fixture
def world() -> World:
    """Its holder has half of epoch 1, and so all votes; the other half is owed to the deployer."""
    made = World.fresh()
    made.send(made.claim(made.finalized(1), 0))
    made.wait(2)
    return made


@holds("A receipt belongs to its minter", by="contracts/solidity/ModelToken.sol:mint", against=Threat.LOST_FUNDS)
def test_no_vote_takes_what_a_final_epoch_owes(world: World) -> None:
    """Before: the budget set to nothing, or a unit minted under the receipt, and it was "paid" for ever."""
    payouts, token = world.payouts(1), world.token
    owed = payouts[1]
    world.carry(Action.of(token.set_budget(world.deployment.distributor, 0)), "nothing for those who come late")
    assert token.reserved_of(world.deployment.distributor) == owed.amount
    world.carry(Action.of(token.set_budget(world.deployer.address, 5)), "another minter")
    world.send(token.reserve(5))
    world.send(token.mint(owed.leaf(), world.rival.address, 1))
    world.send(world.claim(payouts, 1))
    assert token.balance_of(owed.account) == owed.amount
    assert (world.distributor.is_claimed(1, owed.index), token.allotted()) == (True, 900 * 2 + 5)


def test_nobody_claims_for_a_contract_but_itself(world: World) -> None:
    """Before, anybody sent a contract's tokens into it, where it might be unable to move them."""
    epoch = world.payouts(2)
    timelock = world.deployment.timelock
    epoch[1] = replace(epoch[1], account=timelock)
    world.finalize(epoch)
    with refused("EpochDistributorClaimNotSigned"):
        world.send(world.claim(epoch, 1))
    assert world.distributor.only_its_own(timelock)
    assert not world.distributor.only_its_own(world.holder.address)
    world.carry(Action.of(world.claim(epoch, 1)), "what the treasury earned")
    assert world.token.balance_of(timelock) == epoch[1].amount


@holds(
    "The pay of a root is reserved when the root is proposed",
    by="contracts/solidity/EpochRoots.sol:propose",
    against=Threat.LOST_FUNDS,
)
def test_a_root_above_what_can_be_reserved_is_refused(world: World) -> None:
    world.carry(Action.of(world.token.set_budget(world.deployment.distributor, 1_799)), "less than an epoch pays")
    root = world.root(world.payouts(2))
    with refused("ModelTokenBudgetExceeded"):
        world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    less = world.root(world.payouts(2, 899))
    world.send(world.registry.propose(less, world.signatures(less, world.verifiers[:2])))
    assert world.token.budget_of(world.deployment.distributor) == 1


def test_only_the_registry_reserves_for_the_distributor(world: World) -> None:
    for call in ("reserve", "release"):
        raw = world.w3.eth.contract(
            address=Web3.to_checksum_address(world.deployment.distributor),
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
            send(world.w3, world.deployer, raw.functions[call](1))
    assert world.token.reserved_of(world.deployment.distributor) == 900


@holds(
    "A pause of claims ends by itself",
    by="contracts/solidity/ModelToken.sol:setMintingPaused",
    against=Threat.LOST_FUNDS,
)
def test_a_pause_of_claims_ends_by_itself(world: World) -> None:
    world.carry(Action.of(world.token.set_minting_paused(True)), "stop it")
    with refused("ModelTokenMintingPaused"):
        world.send(world.claim(world.payouts(1), 1))
    world.wait(PAUSE)
    with refused("ModelTokenPauseTooSoon"):
        world.as_timelock(world.token.set_minting_paused(True))
    world.send(world.claim(world.payouts(1), 1))


def passed(world: World, text: str) -> tuple[list[Action], int]:
    """A proposal that passed, and waits to be queued."""
    actions = [Action.of(world.models.decide(world.model, text.encode().ljust(32), "clip", "2"))]
    signature = world.governor.sign_proposal(world.holder, actions, text, 2**40)
    world.send(world.governor.propose_by_sig(world.holder.address, actions, text, 2**40, signature))
    proposal = world.governor.proposal_id(actions, text)
    world.wait(3)
    world.send(world.governor.relay_votes([world.governor.sign_ballot(world.holder, proposal, 1)]))
    world.wait(40)
    return actions, proposal


@holds(
    "A passed proposal expires after a stated time",
    by="contracts/solidity/ModelTimelock.sol:getOperationState",
    against=Threat.TAKEOVER,
)
@pytest.mark.parametrize("queued", [False, True])
def test_what_passed_lives_for_a_stated_time(world: World, queued: bool) -> None:
    """Before: a mint that was queued once was executed a year later by a minority, and nobody could stop it."""
    actions, proposal = passed(world, "later")
    if queued:
        world.send(world.governor.queue(actions, "later"))
    world.wait(GRACE + 10)
    assert world.governor.state(proposal) is ProposalState.EXPIRED
    for call in (world.governor.queue, world.governor.execute):
        with refused("GovernorUnexpectedProposalState"):
            world.send(call(actions, "later"))


def test_objections_that_outweigh_the_votes_cancel(world: World) -> None:
    """The late claimer holds as much as the first: not more, so not enough, until it has some of the other's."""
    actions, proposal = passed(world, "in haste")
    world.send(world.governor.queue(actions, "in haste"))
    world.send(world.claim(world.payouts(1), 1))
    world.wait(2)
    found, digest = world.governor.calls_of(proposal, world.deployment.block)
    assert (found, digest) == (actions, Web3.keccak(text="in haste"))
    at = world.now() - 1
    send(world.w3, world.deployer, world.governor.object_to(found, digest, at))
    assert world.governor.objections_to(proposal, at) == 900
    assert world.governor.state(proposal) is ProposalState.QUEUED
    with refused("ModelGovernorObjectionCast"):
        send(world.w3, world.deployer, world.governor.object_to(found, digest, at))


@holds(
    "Objections with more votes than a passed proposal cancel it",
    by="contracts/solidity/ModelGovernor.sol:objectTo",
    against=Threat.TAKEOVER,
)
def test_a_late_majority_stops_a_decision_made_before_it(world: World) -> None:
    actions, proposal = passed(world, "before they came")
    world.finalized(2)
    world.send(world.claim(world.payouts(1), 1))
    world.send(world.claim(world.payouts(2), 1))
    world.send(world.governor.queue(actions, "before they came"))
    world.wait(2)
    at = world.now() - 1
    ended = int(world.governor.deadline(proposal))
    for second, error in ((ended - 1, "ModelGovernorObjectionTooEarly"), (world.now() + 60, "ERC5805FutureLookup")):
        with refused(error):
            send(world.w3, world.deployer, world.governor.object_to(actions, "before they came", second))
    for second in (ended, at):  # who has nothing weighs down no objection
        send(world.w3, world.rival, world.governor.object_to(actions, "before they came", second))
    send(world.w3, world.deployer, world.governor.object_to(actions, "before they came", at))
    assert world.governor.objections_to(proposal, at) == 1_800
    assert world.governor.state(proposal) is ProposalState.CANCELED
    world.wait(6)
    with refused("GovernorUnexpectedProposalState"):
        world.send(world.governor.execute(actions, "before they came"))


RULES = {
    "setVotingPeriod": (14, 61, 15),
    "updateQuorumNumerator": (1, 9, 3),
    "setVotingDelay": (0, 3, 2),
    "setProposalThreshold": (None, 11, 10),
}
"""Below and above what genesis set (half and double), and within."""


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_of_votes_stay_within_what_genesis_set(world: World, rule: str) -> None:
    """Before, one batch set delay, period, quorum and timelock to nothing, and the next decision took nine seconds."""
    governor = contract_at(world.w3, "ModelGovernor", world.deployment.governor).functions
    below, above, within = RULES[rule]
    for value in (below, above):
        if value is not None:
            with refused("ModelGovernorOutOfBounds"):
                world.carry(Action.of(governor[rule](value)), f"{rule} {value}")
            world.wait(60)
    world.carry(Action.of(governor[rule](within)), f"{rule} {within}")
