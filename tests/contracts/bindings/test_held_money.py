"""What was taken waits until a vote can have decided whose it is, and seats can be given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.bindings.governor import Action
from contracts.bindings.held_money import NOBODY, HeldMoney, ground_of
from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.verifier_registry import EpochStatus
from contracts.chain.connection import contract_at, send
from contracts.genesis.powers import ADMIN, role
from contracts.ids import ZERO_ADDRESS
from contracts.messages.for_contracts import NodeFault, VerifierFault
from tests.contracts.bindings.test_contracts import PARAMS, World, decided, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration


@pytest.fixture
def world() -> World:
    return World.fresh()


def punished(world: World) -> VerifierFault:
    *others, lazy = world.verifiers
    fault = VerifierFault(world.model, lazy.address, b"e" * 32, 2**40)
    world.send(world.registry.punish(fault, world.signatures(fault, others)))
    return fault


def act(world: World, account: LocalAccount, call: Any, value: int = 0) -> None:
    send(world.w3, account, call, value=value)


def votes(world: World) -> None:
    """An epoch is final and claimed: votes exist."""
    world.send(world.claim(world.finalized(int(world.registry.finalized_epochs()) + 1), 0))
    world.wait(2)


def burnt(world: World) -> int:
    """What nobody has any more; none of it came to the holders' treasury."""
    assert world.w3.eth.get_balance(Web3.to_checksum_address(world.deployment.timelock)) == 0
    return int(world.w3.eth.get_balance(Web3.to_checksum_address(NOBODY)))


def dispute(world: World, epoch: int, attempt: int = 0) -> None:
    root = world.root(world.payouts(epoch), attempt=attempt)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    world.send(world.registry.challenge(epoch), world.registry.bond_now())


@holds(
    "Stake that verifiers took waits until the holders can have decided",
    by="contracts/solidity/HeldMoney.sol:payHeld",
    against=Threat.LOST_FUNDS,
)
def test_slashed_stake_is_burnt_after_holders_could_vote(world: World) -> None:
    fault = punished(world)
    ground = ground_of("fault", fault.evidence)
    world.wait(PARAMS.dispute_limit + 1)
    world.send(world.registry.note_votes())
    with refused("HeldMoneyStillHeld"):  # nobody has votes
        world.send(world.registry.pay_held(ground, fault.verifier))
    votes(world)
    with refused("HeldMoneyStillHeld"):  # nobody noted them
        world.send(world.registry.pay_held(ground, fault.verifier))
    world.send(world.registry.note_votes())
    world.wait(PARAMS.dispute_limit - 5)
    with refused("HeldMoneyStillHeld"):  # they are there for too short a time to have decided anything
        world.send(world.registry.pay_held(ground, fault.verifier))
    world.wait(6)
    world.send(world.registry.pay_held(ground, fault.verifier))
    assert burnt(world) == PARAMS.slash_cap
    with refused("HeldMoneyNothingHeld"):
        world.send(world.registry.pay_held(ground, fault.verifier))


def test_a_later_slash_does_not_delay_an_earlier_one(world: World) -> None:
    """Before, a guilty node staked a little and sent the same signatures again: all that was held waited anew."""
    votes(world)
    world.send(world.registry.note_votes())
    world.wait(PARAMS.dispute_limit)
    stakes, node = NodeStakes(world.w3, world.registry.address), world.rival
    act(world, node, stakes.stake(), 400)  # below the cap of 1,000
    fault = NodeFault(world.model, node.address, b"p" * 32, 2**40)
    signed = world.signatures(fault, world.verifiers[:2])
    world.send(stakes.slash(fault, signed))
    first, second = ground_of("proof", fault.proof), ground_of("proof", fault.proof, 400)
    free_at = world.registry.held_of(first, node.address).free_at
    world.wait(PARAMS.dispute_limit - 20)
    act(world, node, stakes.stake(), PARAMS.node_slash_cap // 100)
    act(world, node, stakes.slash(fault, signed))
    assert world.registry.held_of(first, node.address).free_at == free_at
    assert world.registry.held_of(second, node.address).free_at >= free_at + PARAMS.dispute_limit - 20
    world.wait(25)
    world.send(world.registry.pay_held(first, node.address))
    assert burnt(world) == 400
    with refused("HeldMoneyStillHeld"):  # holders have their time for what came later
        world.send(world.registry.pay_held(second, node.address))


@holds(
    "Voters gain nothing from slashed stake", by="contracts/solidity/HeldMoney.sol:_payHeld", against=Threat.LOST_FUNDS
)
def test_a_majority_gains_nothing_by_stakes_its_verifiers_take(world: World) -> None:
    """It can still take them: what a stake is good for is not more than its holders."""
    votes(world)
    stakes, node = NodeStakes(world.w3, world.registry.address), world.rival
    act(world, node, stakes.stake(), PARAMS.node_slash_cap)
    fault = NodeFault(world.model, node.address, b"p" * 32, 2**40)
    world.send(stakes.slash(fault, world.signatures(fault, world.verifiers[:2])))
    decision = world.registry.decide_held(ground_of("proof", fault.proof), node.address, False)
    world.carry(Action.of(decision), "ours")
    assert burnt(world) == PARAMS.node_slash_cap
    dispute(world, 2)
    world.carry(Action.of(decided(world.registry, 2, True)), "their root falls")
    assert burnt(world) == PARAMS.node_slash_cap + 2 * PARAMS.slash_cap


def test_what_is_held_is_payable_when_the_contract_pays_it(world: World) -> None:
    punished(world)
    money = HeldMoney(world.w3, world.registry.address)
    world.wait(10 * PARAMS.dispute_limit)
    (item,) = money.items()
    assert item.free_at < world.now()
    assert money.payable_at(item) is None  # nobody has votes
    votes(world)
    world.send(world.registry.note_votes())
    at = money.payable_at(item)
    assert at is not None
    world.wait(at - world.now() - 5)
    with refused("HeldMoneyStillHeld"):
        world.send(money.pay(item))
    world.wait(5)
    world.send(money.pay(item))


def test_it_is_not_paid_before_its_time_though_there_are_votes(world: World) -> None:
    votes(world)
    world.send(world.registry.note_votes())
    world.wait(PARAMS.dispute_limit)
    fault = punished(world)
    world.wait(PARAMS.dispute_limit - 5)
    with refused("HeldMoneyStillHeld"):
        world.send(world.registry.pay_held(ground_of("fault", fault.evidence), fault.verifier))
    world.wait(6)
    world.send(world.registry.pay_held(ground_of("fault", fault.evidence), fault.verifier))
    assert burnt(world) == PARAMS.slash_cap


def test_holders_give_back_what_was_taken_on_invented_evidence(world: World) -> None:
    votes(world)
    fault = punished(world)
    before = world.w3.eth.get_balance(world.verifiers[2].address)
    with refused("AccessControlUnauthorizedAccount"):
        world.send(world.registry.decide_held(ground_of("fault", fault.evidence), fault.verifier, True))
    world.carry(
        Action.of(world.registry.decide_held(ground_of("fault", fault.evidence), fault.verifier, True)), "give it back"
    )
    assert world.w3.eth.get_balance(world.verifiers[2].address) - before == PARAMS.slash_cap
    assert burnt(world) == 0


@holds(
    "The bond of a challenge before the first votes is returned",
    by="contracts/solidity/EpochRoots.sol:lapse",
    against=Threat.LOST_FUNDS,
)
def test_a_bond_before_any_votes_goes_back_unless_holders_object(world: World) -> None:
    dispute(world, 1)
    world.wait(PARAMS.dispute_limit + 1)
    world.send(world.registry.lapse(1))
    ground, challenger = world.registry.ground_of(1, 1), world.deployer.address
    held = world.registry.held_of(ground, challenger)
    assert (held.amount, held.is_accounts) == (PARAMS.bond, True)
    with refused("HeldMoneyStillHeld"):
        world.send(world.registry.pay_held(ground, challenger))
    world.wait(PARAMS.node_withdrawal_delay + 1)
    with refused("HeldMoneyStillHeld"):  # who keeps votes from existing has nothing back
        world.send(world.registry.pay_held(ground, challenger))
    again = world.root(world.payouts(1), attempt=1)
    world.send(world.registry.propose(again, world.signatures(again, world.verifiers[:2])))
    world.wait(PARAMS.challenge_window + 1)
    world.send(world.registry.finalize(1))
    world.send(world.claim(world.payouts(1), 0))
    world.send(world.registry.note_votes())
    world.wait(PARAMS.dispute_limit + 1)
    before = world.w3.eth.get_balance(challenger)
    receipt = world.send(world.registry.pay_held(ground, challenger))
    assert world.w3.eth.get_balance(challenger) - before > PARAMS.bond - 10**16, receipt
    assert burnt(world) == 0


def test_holders_keep_the_bond_of_who_only_delayed(world: World) -> None:
    dispute(world, 1)
    world.wait(PARAMS.dispute_limit + 1)
    world.send(world.registry.lapse(1))
    again = world.root(world.payouts(1), attempt=1)
    world.send(world.registry.propose(again, world.signatures(again, world.verifiers[:2])))
    world.wait(PARAMS.challenge_window + 1)
    world.send(world.registry.finalize(1))
    world.send(world.claim(world.payouts(1), 0))
    world.wait(2)
    decision = world.registry.decide_held(world.registry.ground_of(1, 1), world.deployer.address, False)
    world.carry(Action.of(decision), "it only delayed")
    assert burnt(world) == PARAMS.bond


def test_a_bond_is_lost_when_holders_could_decide_and_did_not(world: World) -> None:
    votes(world)
    dispute(world, 2)
    world.wait(PARAMS.dispute_limit + 1)
    world.send(world.registry.lapse(2))
    assert burnt(world) == PARAMS.bond
    assert world.registry.held_of(world.registry.ground_of(2, 1), world.deployer.address).amount == 0


@holds(
    "The bond doubles with each delay, in every epoch",
    by="contracts/solidity/EpochRoots.sol:bondNow",
    against=Threat.LOST_FUNDS,
)
def test_each_delay_costs_twice_as_much_until_time_passes(world: World) -> None:
    """Whatever the epoch."""
    votes(world)
    for epoch in (2, 4):
        dispute(world, epoch)
        world.carry(Action.of(decided(world.registry, epoch, False)), f"challenge of {epoch} fails")
        world.wait(PARAMS.challenge_window + 1)
        world.send(world.registry.finalize(epoch))
        world.finalized(epoch + 1)  # a quiet one between makes nothing cheaper
        assert world.registry.bond_now() == PARAMS.bond << epoch // 2
    for expected in (2, 1, 1):
        world.wait(PARAMS.dispute_limit)
        assert world.registry.bond_now() == expected * PARAMS.bond


def test_a_lapsed_dispute_makes_the_next_one_dearer(world: World) -> None:
    """Though it took its time."""
    votes(world)
    dispute(world, 2)
    world.carry(Action.of(decided(world.registry, 2, False)), "the first fails")
    world.send(world.registry.challenge(2), 2 * PARAMS.bond)
    world.wait(PARAMS.dispute_limit)
    assert world.registry.bond_now() == 2 * PARAMS.bond  # a dispute is no quiet time
    world.send(world.registry.lapse(2))
    assert burnt(world) == 2 * PARAMS.bond
    assert world.registry.bond_now() == 4 * PARAMS.bond


@holds("A dispute frees no stake", by="contracts/solidity/EpochRoots.sol:_disputed", against=Threat.LOST_FUNDS)
def test_disputes_free_no_stake(world: World) -> None:
    """Three that lapse would outlast the delay, and nobody is judged in them."""
    leaver, stakes = world.verifiers[2], NodeStakes(world.w3, world.registry.address)
    send(world.w3, world.rival, stakes.stake(), value=700)
    send(world.w3, world.rival, stakes.request_withdrawal(700))
    act(world, leaver, world.registry.resign())
    for attempt in range(3):
        dispute(world, 1, attempt)
        world.wait(PARAMS.dispute_limit)
        world.send(world.registry.lapse(1))
    with refused("NodeStakesWithdrawalLocked"):
        send(world.w3, world.rival, stakes.withdraw(world.holder.address))
    with refused("VerifierSetStakeLocked"):
        act(world, leaver, world.registry.unstake())
    world.wait(PARAMS.node_withdrawal_delay)
    send(world.w3, world.rival, stakes.withdraw(world.holder.address))
    act(world, leaver, world.registry.unstake())


@holds(
    "No vote grants a role to a key or takes a role from the timelock",
    by="contracts/solidity/FixedRoles.sol:_grantRole",
    against=Threat.TAKEOVER,
)
def test_no_vote_gives_a_role_to_a_key_or_takes_the_timelocks(world: World) -> None:
    """It would act for ever, without votes and delays; buyers of a later round would not be asked."""
    votes(world)
    d, key = world.deployment, world.rival.address
    for name, where in (
        ("ModelToken", d.token),
        ("VerifierRegistry", d.verifier_registry),
        ("ModelTimelock", d.timelock),
    ):
        contract = contract_at(world.w3, name, where)
        fixed = "ModelTimelockRoleFixed" if name == "ModelTimelock" else "FixedRolesRoleFixed"
        for role_ in (ADMIN, role("PROPOSER_ROLE"), role("CANCELLER_ROLE"), role("GUARDIAN_ROLE")):
            with refused(fixed):
                world.as_timelock(contract.functions.grantRole(role_, key))
            with refused(fixed):
                world.as_timelock(contract.functions.revokeRole(role_, d.timelock))
    timelock = contract_at(world.w3, "ModelTimelock", d.timelock)
    for kept in (d.governor, ZERO_ADDRESS):
        with refused("ModelTimelockRoleFixed"):
            world.as_timelock(timelock.functions.revokeRole(role("PROPOSER_ROLE"), kept))


def test_a_log_size_that_nobody_reaches_keeps_no_honest_root_out(world: World) -> None:
    """k signers put the largest number once; what follows is of the log as it is."""
    root = replace(world.root(world.payouts(1)), logSize=2**64 - 1)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    world.wait(PARAMS.challenge_window + 1)
    world.send(world.registry.finalize(1))
    world.finalized(2)
    assert world.registry.epoch_of(2).status is EpochStatus.FINAL


def test_a_verifier_may_leave_before_any_vote_could_free_it(world: World) -> None:
    leaver, *others = world.verifiers
    with refused("VerifierSetNotVerifier"):
        world.send(world.registry.resign())
    act(world, leaver, world.registry.resign())
    assert leaver.address not in world.registry.verifiers()
    with refused("VerifierSetStakeLocked"):
        act(world, leaver, world.registry.unstake())
    world.wait(PARAMS.node_withdrawal_delay + 1)
    before = world.w3.eth.get_balance(Web3.to_checksum_address(world.registry.address))
    act(world, leaver, world.registry.unstake())
    assert before - world.w3.eth.get_balance(Web3.to_checksum_address(world.registry.address)) == PARAMS.min_stake
    act(world, others[0], world.registry.resign())  # fewer than k are left: nothing is signed any more, and it may go
    assert len(world.registry.verifiers()) == 1


def test_what_an_empty_stake_owes_is_taken_when_there_is_some(world: World) -> None:
    fault = punished(world)
    *others, lazy = world.verifiers
    second = VerifierFault(world.model, lazy.address, b"f" * 32, 2**40)
    signed = world.signatures(second, others)
    with refused("HeldMoneyNothingTaken"):
        world.send(world.registry.punish(second, signed))
    act(world, lazy, world.registry.stake(), value=PARAMS.slash_cap // 4)
    world.send(world.registry.punish(second, signed))
    act(world, lazy, world.registry.stake(), value=2 * PARAMS.slash_cap)
    world.send(world.registry.punish(second, signed))
    taken = [(0, PARAMS.slash_cap // 4), (PARAMS.slash_cap // 4, 3 * PARAMS.slash_cap // 4)]
    for before, amount in taken:  # each time on a ground of its own
        ground = ground_of("fault", second.evidence, before)
        assert world.registry.held_of(ground, lazy.address).amount == amount
    assert world.registry.stake_of(lazy.address) == 2 * PARAMS.slash_cap - 3 * PARAMS.slash_cap // 4
    for spent in (fault, second):
        with refused("HeldMoneyNothingTaken"):
            world.send(world.registry.punish(spent, world.signatures(spent, others)))
