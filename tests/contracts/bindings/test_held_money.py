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
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, decided, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration


@pytest.fixture
def model() -> DeployedModel:
    return DeployedModel.fresh()


def punished(model: DeployedModel) -> VerifierFault:
    *others, lazy = model.verifiers
    fault = VerifierFault(model.id, lazy.address, b"e" * 32, 2**40)
    model.send(model.registry.punish(fault, model.signatures(fault, others)))
    return fault


def act(model: DeployedModel, account: LocalAccount, call: Any, value: int = 0) -> None:
    send(model.w3, account, call, value=value)


def votes(model: DeployedModel) -> None:
    """An epoch is final and claimed: votes exist."""
    model.send(model.claim(model.finalized(int(model.registry.finalized_epochs()) + 1), 0))
    model.wait(2)


def burnt(model: DeployedModel) -> int:
    """What nobody has any more; none of it came to the holders' treasury."""
    assert model.w3.eth.get_balance(Web3.to_checksum_address(model.deployment.timelock)) == 0
    return int(model.w3.eth.get_balance(Web3.to_checksum_address(NOBODY)))


def dispute(model: DeployedModel, epoch: int, attempt: int = 0) -> None:
    root = model.root(model.payouts(epoch), attempt=attempt)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    model.send(model.registry.challenge(epoch), model.registry.bond_now())


@holds(
    "Stake that verifiers took waits until the holders can have decided",
    by="contracts/solidity/HeldMoney.sol:payHeld",
    against=Threat.LOST_FUNDS,
)
def test_slashed_stake_is_burnt_after_holders_could_vote(model: DeployedModel) -> None:
    fault = punished(model)
    ground = ground_of("fault", fault.evidence)
    model.wait(PARAMS.dispute_limit + 1)
    model.send(model.registry.note_votes())
    with refused("HeldMoneyStillHeld"):  # nobody has votes
        model.send(model.registry.pay_held(ground, fault.verifier))
    votes(model)
    with refused("HeldMoneyStillHeld"):  # nobody noted them
        model.send(model.registry.pay_held(ground, fault.verifier))
    model.send(model.registry.note_votes())
    model.wait(PARAMS.dispute_limit - 5)
    with refused("HeldMoneyStillHeld"):  # they are there for too short a time to have decided anything
        model.send(model.registry.pay_held(ground, fault.verifier))
    model.wait(6)
    model.send(model.registry.pay_held(ground, fault.verifier))
    assert burnt(model) == PARAMS.slash_cap
    with refused("HeldMoneyNothingHeld"):
        model.send(model.registry.pay_held(ground, fault.verifier))


def test_a_later_slash_does_not_delay_an_earlier_one(model: DeployedModel) -> None:
    """Before, a guilty node staked a little and sent the same signatures again: all that was held waited anew."""
    votes(model)
    model.send(model.registry.note_votes())
    model.wait(PARAMS.dispute_limit)
    stakes, node = NodeStakes(model.w3, model.registry.address), model.rival
    act(model, node, stakes.stake(), 400)  # below the cap of 1,000
    fault = NodeFault(model.id, node.address, b"p" * 32, 2**40)
    signed = model.signatures(fault, model.verifiers[:2])
    model.send(stakes.slash(fault, signed))
    first, second = ground_of("proof", fault.proof), ground_of("proof", fault.proof, 400)
    free_at = model.registry.held_of(first, node.address).free_at
    model.wait(PARAMS.dispute_limit - 20)
    act(model, node, stakes.stake(), PARAMS.node_slash_cap // 100)
    act(model, node, stakes.slash(fault, signed))
    assert model.registry.held_of(first, node.address).free_at == free_at
    assert model.registry.held_of(second, node.address).free_at >= free_at + PARAMS.dispute_limit - 20
    model.wait(25)
    model.send(model.registry.pay_held(first, node.address))
    assert burnt(model) == 400
    with refused("HeldMoneyStillHeld"):  # holders have their time for what came later
        model.send(model.registry.pay_held(second, node.address))


@holds(
    "Voters gain nothing from slashed stake", by="contracts/solidity/HeldMoney.sol:_payHeld", against=Threat.LOST_FUNDS
)
def test_a_majority_gains_nothing_by_stakes_its_verifiers_take(model: DeployedModel) -> None:
    """It can still take them: what a stake is good for is not more than its holders."""
    votes(model)
    stakes, node = NodeStakes(model.w3, model.registry.address), model.rival
    act(model, node, stakes.stake(), PARAMS.node_slash_cap)
    fault = NodeFault(model.id, node.address, b"p" * 32, 2**40)
    model.send(stakes.slash(fault, model.signatures(fault, model.verifiers[:2])))
    decision = model.registry.decide_held(ground_of("proof", fault.proof), node.address, False)
    model.carry(Action.of(decision), "ours")
    assert burnt(model) == PARAMS.node_slash_cap
    dispute(model, 2)
    model.carry(Action.of(decided(model.registry, 2, True)), "their root falls")
    assert burnt(model) == PARAMS.node_slash_cap + 2 * PARAMS.slash_cap


def test_what_is_held_is_payable_when_the_contract_pays_it(model: DeployedModel) -> None:
    punished(model)
    money = HeldMoney(model.w3, model.registry.address)
    model.wait(10 * PARAMS.dispute_limit)
    (item,) = money.items()
    assert item.free_at < model.now()
    assert money.payable_at(item) is None  # nobody has votes
    votes(model)
    model.send(model.registry.note_votes())
    at = money.payable_at(item)
    assert at is not None
    model.wait(at - model.now() - 5)
    with refused("HeldMoneyStillHeld"):
        model.send(money.pay(item))
    model.wait(5)
    model.send(money.pay(item))


def test_it_is_not_paid_before_its_time_though_there_are_votes(model: DeployedModel) -> None:
    votes(model)
    model.send(model.registry.note_votes())
    model.wait(PARAMS.dispute_limit)
    fault = punished(model)
    model.wait(PARAMS.dispute_limit - 5)
    with refused("HeldMoneyStillHeld"):
        model.send(model.registry.pay_held(ground_of("fault", fault.evidence), fault.verifier))
    model.wait(6)
    model.send(model.registry.pay_held(ground_of("fault", fault.evidence), fault.verifier))
    assert burnt(model) == PARAMS.slash_cap


def test_holders_give_back_what_was_taken_on_invented_evidence(model: DeployedModel) -> None:
    votes(model)
    fault = punished(model)
    before = model.w3.eth.get_balance(model.verifiers[2].address)
    with refused("AccessControlUnauthorizedAccount"):
        model.send(model.registry.decide_held(ground_of("fault", fault.evidence), fault.verifier, True))
    model.carry(
        Action.of(model.registry.decide_held(ground_of("fault", fault.evidence), fault.verifier, True)), "give it back"
    )
    assert model.w3.eth.get_balance(model.verifiers[2].address) - before == PARAMS.slash_cap
    assert burnt(model) == 0


@holds(
    "The bond of a challenge before the first votes is returned",
    by="contracts/solidity/EpochRoots.sol:lapse",
    against=Threat.LOST_FUNDS,
)
def test_a_bond_before_any_votes_goes_back_unless_holders_object(model: DeployedModel) -> None:
    dispute(model, 1)
    model.wait(PARAMS.dispute_limit + 1)
    model.send(model.registry.lapse(1))
    ground, challenger = model.registry.ground_of(1, 1), model.deployer.address
    held = model.registry.held_of(ground, challenger)
    assert (held.amount, held.is_accounts) == (PARAMS.bond, True)
    with refused("HeldMoneyStillHeld"):
        model.send(model.registry.pay_held(ground, challenger))
    model.wait(PARAMS.node_withdrawal_delay + 1)
    with refused("HeldMoneyStillHeld"):  # who keeps votes from existing has nothing back
        model.send(model.registry.pay_held(ground, challenger))
    again = model.root(model.payouts(1), attempt=1)
    model.send(model.registry.propose(again, model.signatures(again, model.verifiers[:2])))
    model.wait(PARAMS.challenge_window + 1)
    model.send(model.registry.finalize(1))
    model.send(model.claim(model.payouts(1), 0))
    model.send(model.registry.note_votes())
    model.wait(PARAMS.dispute_limit + 1)
    before = model.w3.eth.get_balance(challenger)
    receipt = model.send(model.registry.pay_held(ground, challenger))
    assert model.w3.eth.get_balance(challenger) - before > PARAMS.bond - 10**16, receipt
    assert burnt(model) == 0


def test_holders_keep_the_bond_of_who_only_delayed(model: DeployedModel) -> None:
    dispute(model, 1)
    model.wait(PARAMS.dispute_limit + 1)
    model.send(model.registry.lapse(1))
    again = model.root(model.payouts(1), attempt=1)
    model.send(model.registry.propose(again, model.signatures(again, model.verifiers[:2])))
    model.wait(PARAMS.challenge_window + 1)
    model.send(model.registry.finalize(1))
    model.send(model.claim(model.payouts(1), 0))
    model.wait(2)
    decision = model.registry.decide_held(model.registry.ground_of(1, 1), model.deployer.address, False)
    model.carry(Action.of(decision), "it only delayed")
    assert burnt(model) == PARAMS.bond


def test_a_bond_is_lost_when_holders_could_decide_and_did_not(model: DeployedModel) -> None:
    votes(model)
    dispute(model, 2)
    model.wait(PARAMS.dispute_limit + 1)
    model.send(model.registry.lapse(2))
    assert burnt(model) == PARAMS.bond
    assert model.registry.held_of(model.registry.ground_of(2, 1), model.deployer.address).amount == 0


@holds(
    "The bond doubles with each delay, in every epoch",
    by="contracts/solidity/EpochRoots.sol:bondNow",
    against=Threat.LOST_FUNDS,
)
def test_each_delay_costs_twice_as_much_until_time_passes(model: DeployedModel) -> None:
    """Whatever the epoch."""
    votes(model)
    for epoch in (2, 4):
        dispute(model, epoch)
        model.carry(Action.of(decided(model.registry, epoch, False)), f"challenge of {epoch} fails")
        model.wait(PARAMS.challenge_window + 1)
        model.send(model.registry.finalize(epoch))
        model.finalized(epoch + 1)  # a quiet one between makes nothing cheaper
        assert model.registry.bond_now() == PARAMS.bond << epoch // 2
    for expected in (2, 1, 1):
        model.wait(PARAMS.dispute_limit)
        assert model.registry.bond_now() == expected * PARAMS.bond


def test_a_lapsed_dispute_makes_the_next_one_dearer(model: DeployedModel) -> None:
    """Though it took its time."""
    votes(model)
    dispute(model, 2)
    model.carry(Action.of(decided(model.registry, 2, False)), "the first fails")
    model.send(model.registry.challenge(2), 2 * PARAMS.bond)
    model.wait(PARAMS.dispute_limit)
    assert model.registry.bond_now() == 2 * PARAMS.bond  # a dispute is no quiet time
    model.send(model.registry.lapse(2))
    assert burnt(model) == 2 * PARAMS.bond
    assert model.registry.bond_now() == 4 * PARAMS.bond


@holds("A dispute frees no stake", by="contracts/solidity/EpochRoots.sol:_disputed", against=Threat.LOST_FUNDS)
def test_disputes_free_no_stake(model: DeployedModel) -> None:
    """Three that lapse would outlast the delay, and nobody is judged in them."""
    leaver, stakes = model.verifiers[2], NodeStakes(model.w3, model.registry.address)
    send(model.w3, model.rival, stakes.stake(), value=700)
    send(model.w3, model.rival, stakes.request_withdrawal(700))
    act(model, leaver, model.registry.resign())
    for attempt in range(3):
        dispute(model, 1, attempt)
        model.wait(PARAMS.dispute_limit)
        model.send(model.registry.lapse(1))
    with refused("NodeStakesWithdrawalLocked"):
        send(model.w3, model.rival, stakes.withdraw(model.holder.address))
    with refused("VerifierSetStakeLocked"):
        act(model, leaver, model.registry.unstake())
    model.wait(PARAMS.node_withdrawal_delay)
    send(model.w3, model.rival, stakes.withdraw(model.holder.address))
    act(model, leaver, model.registry.unstake())


@holds(
    "No vote grants a role to a key or takes a role from the timelock",
    by="contracts/solidity/FixedRoles.sol:_grantRole",
    against=Threat.TAKEOVER,
)
def test_no_vote_gives_a_role_to_a_key_or_takes_the_timelocks(model: DeployedModel) -> None:
    """It would act for ever, without votes and delays; buyers of a later round would not be asked."""
    votes(model)
    d, key = model.deployment, model.rival.address
    for name, where in (
        ("ModelToken", d.token),
        ("VerifierRegistry", d.verifier_registry),
        ("ModelTimelock", d.timelock),
    ):
        contract = contract_at(model.w3, name, where)
        fixed = "ModelTimelockRoleFixed" if name == "ModelTimelock" else "FixedRolesRoleFixed"
        for role_ in (ADMIN, role("PROPOSER_ROLE"), role("CANCELLER_ROLE"), role("GUARDIAN_ROLE")):
            with refused(fixed):
                model.as_timelock(contract.functions.grantRole(role_, key))
            with refused(fixed):
                model.as_timelock(contract.functions.revokeRole(role_, d.timelock))
    timelock = contract_at(model.w3, "ModelTimelock", d.timelock)
    for kept in (d.governor, ZERO_ADDRESS):
        with refused("ModelTimelockRoleFixed"):
            model.as_timelock(timelock.functions.revokeRole(role("PROPOSER_ROLE"), kept))


def test_a_log_size_that_nobody_reaches_keeps_no_honest_root_out(model: DeployedModel) -> None:
    """k signers put the largest number once; what follows is of the log as it is."""
    root = replace(model.root(model.payouts(1)), logSize=2**64 - 1)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    model.wait(PARAMS.challenge_window + 1)
    model.send(model.registry.finalize(1))
    model.finalized(2)
    assert model.registry.epoch_of(2).status is EpochStatus.FINAL


def test_a_verifier_may_leave_before_any_vote_could_free_it(model: DeployedModel) -> None:
    leaver, *others = model.verifiers
    with refused("VerifierSetNotVerifier"):
        model.send(model.registry.resign())
    act(model, leaver, model.registry.resign())
    assert leaver.address not in model.registry.verifiers()
    with refused("VerifierSetStakeLocked"):
        act(model, leaver, model.registry.unstake())
    model.wait(PARAMS.node_withdrawal_delay + 1)
    before = model.w3.eth.get_balance(Web3.to_checksum_address(model.registry.address))
    act(model, leaver, model.registry.unstake())
    assert before - model.w3.eth.get_balance(Web3.to_checksum_address(model.registry.address)) == PARAMS.min_stake
    act(model, others[0], model.registry.resign())  # fewer than k are left: nothing is signed any more, and it may go
    assert len(model.registry.verifiers()) == 1


def test_what_an_empty_stake_owes_is_taken_when_there_is_some(model: DeployedModel) -> None:
    fault = punished(model)
    *others, lazy = model.verifiers
    second = VerifierFault(model.id, lazy.address, b"f" * 32, 2**40)
    signed = model.signatures(second, others)
    with refused("HeldMoneyNothingTaken"):
        model.send(model.registry.punish(second, signed))
    act(model, lazy, model.registry.stake(), value=PARAMS.slash_cap // 4)
    model.send(model.registry.punish(second, signed))
    act(model, lazy, model.registry.stake(), value=2 * PARAMS.slash_cap)
    model.send(model.registry.punish(second, signed))
    taken = [(0, PARAMS.slash_cap // 4), (PARAMS.slash_cap // 4, 3 * PARAMS.slash_cap // 4)]
    for before, amount in taken:  # each time on a ground of its own
        ground = ground_of("fault", second.evidence, before)
        assert model.registry.held_of(ground, lazy.address).amount == amount
    assert model.registry.stake_of(lazy.address) == 2 * PARAMS.slash_cap - 3 * PARAMS.slash_cap // 4
    for spent in (fault, second):
        with refused("HeldMoneyNothingTaken"):
            model.send(model.registry.punish(spent, model.signatures(spent, others)))
