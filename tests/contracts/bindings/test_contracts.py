"""The contracts on a fresh chain: what they pay, refuse and obey."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from web3 import Web3

from contracts.bindings.capital_pool import CapitalPool, PoolStatus
from contracts.bindings.governor import Action
from contracts.bindings.held_money import ground_of
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import EpochStatus
from contracts.chain.connection import connect_devnet, contract_at, rejections, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.check import check_genesis
from contracts.genesis.deploy import deploy_model
from contracts.genesis.refused import GenesisRefused
from contracts.ids import NO_ADDRESS, Address, as_address
from contracts.keccak import keccak256
from contracts.messages.for_contracts import VerifierFault
from contracts.messages.signatures import Domain, digest
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, decided, refused
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration


@pytest.fixture
def model() -> DeployedModel:
    return DeployedModel.fresh()


@holds(
    "Python and Solidity compute the same digest of a message",
    by="contracts/messages/signatures.py:digest",
    against=Threat.FORGED_MESSAGE,
)
def test_both_sides_hash_alike(model: DeployedModel) -> None:
    payouts = model.payouts(1)
    root = model.root(payouts)
    assert model.registry.hash_epoch_root(root) == digest(root, Domain(31337, model.registry.address))
    p = payouts[0]
    assert model.distributor.leaf_of(p.epoch, p.index, p.account, p.kind, p.amount) == p.leaf()


@holds("No key holds a role after genesis", by="contracts/genesis/powers.py:check_roles", against=Threat.TAKEOVER)
def test_no_key_holds_power_after_genesis(model: DeployedModel) -> None:
    check_genesis(model.w3, model.deployment)
    token = contract_at(model.w3, "ModelToken", model.deployment.token)
    with refused("AccessControlUnauthorizedAccount"):
        model.send(token.functions.setBudget(model.deployer.address, 1))
    with refused("ModelTokenReserveExceeded"):
        model.send(model.token.mint(b"r" * 32, model.deployer.address, 1))
    with refused("ModelRegistryNotTimelock"):
        model.send(model.models.decide(model.id, b"d" * 32, "lr", "1"))
    for call in (
        model.registry.admit(model.deployer.address),
        model.registry.remove(model.verifiers[0].address),
        model.registry.set_threshold(1),
        model.registry.set_max_epoch_total(1),
        model.registry.resolve(1, b"r" * 32, 1, True),
        model.token.set_minting_paused(True),
    ):
        with refused("AccessControlUnauthorizedAccount"):
            model.send(call)


def test_a_funding_round_has_a_budget_for_its_hard_cap() -> None:
    owner = Account.create()
    w3 = connect_devnet(Devnet([owner.address]))
    coin = deploy_currency(w3, owner, "PermitCurrency", 10).address
    terms = replace(
        PARAMS,
        threshold=1,
        cap=1_000,
        budget=1_000,
        max_epoch_total=800,
        funding_currency=coin,
        funding_soft_cap=50,
        funding_hard_cap=101,
        funding_token_units=3,
        funding_paid_units=2,
    )
    d = deploy_model(w3, owner, "m", "M", [owner.address], terms)
    token, pool = ModelToken(w3, d.token), CapitalPool(w3, d.pool)
    assert (token.budget_of(d.pool), token.budget_of(d.distributor)) == (151, 1_000 - 151)
    assert (pool.caps(), pool.currency().address, pool.status()) == ((50, 101), coin, PoolStatus.OPEN)
    assert Deployment.from_json(d.to_json()) == d
    with refused("AccessControlUnauthorizedAccount"):
        send(w3, owner, pool.cancel())
    with pytest.raises(GenesisRefused, match="the registry has"):
        check_genesis(w3, replace(d, pool=NO_ADDRESS))
    with pytest.raises(GenesisRefused, match="more than the cap"):
        deploy_model(w3, owner, "n", "N", [owner.address], replace(terms, cap=150))


@holds(
    "A root needs k distinct signers with stake",
    by="contracts/solidity/EpochRoots.sol:propose",
    against=Threat.BAD_VERIFIER,
)
def test_signatures_must_be_enough_sorted_and_distinct(model: DeployedModel) -> None:
    root = model.root(model.payouts(1))
    a, b = model.signatures(root, model.verifiers[:2]).values()
    with refused("VerifierSetTooFewSignatures"):
        model.send(model.registry.propose_raw(root, [a]))
    with refused("VerifierSetSignersNotSorted"):
        model.send(model.registry.propose_raw(root, [b, a]))
    with refused("VerifierSetSignersNotSorted"):
        model.send(model.registry.propose_raw(root, [a, a]))
    with refused("VerifierSetNotVerifier"):
        model.send(model.registry.propose(root, model.signatures(root, [model.holder, model.deployer])))
    with refused("EpochRootsTotalTooLarge"):
        big = model.root(model.payouts(1, 9_000))
        model.send(model.registry.propose(big, model.signatures(big, model.verifiers)))
    with refused("EpochRootsWrongEpoch"):
        later = model.root(model.payouts(2))
        model.send(model.registry.propose(later, model.signatures(later, model.verifiers)))


def test_a_root_is_of_an_epoch_that_has_closed(model: DeployedModel) -> None:
    root = replace(model.root(model.payouts(1)), settledAt=model.now() + 1_000)
    with refused("EpochRootsSettledInFuture"):
        model.send(model.registry.propose(root, model.signatures(root, model.verifiers)))
    model.wait(1_000)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers)))
    assert model.registry.epoch_of(1).settled_at == root.settledAt


@holds(
    "An epoch without payees becomes final, and no claim on it succeeds",
    by="contracts/solidity/EpochRoots.sol:propose",
    against=Threat.WRONG_PAY,
)
def test_an_epoch_that_pays_nobody_ends_and_takes_no_claim(model: DeployedModel) -> None:
    root = replace(model.root(model.payouts(1)), root=bytes(32), total=0, count=0)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers)))
    model.wait(61)
    receipt = model.send(model.registry.finalize(1))
    events = contract_at(model.w3, "VerifierRegistry", model.registry.address).events
    (said,) = events.EpochFinalized.get_logs(from_block=receipt["blockNumber"])
    assert dict(said["args"]) == {"epoch": 1, "attempt": 0, "root": bytes(32), "total": 0}
    for amount in (0, 1):
        payouts = model.payouts(1, amount)
        with refused("EpochDistributorProofRefused"):
            model.send(model.claim(payouts, 0))
        with refused("EpochDistributorProofRefused"):
            model.send(model.claim(payouts[:1], 0))
    model.send(model.claim(model.finalized(2), 0))


@holds(
    "A leaf is minted once, and only under a final root",
    by="contracts/solidity/ModelToken.sol:mint",
    against=Threat.WRONG_PAY,
)
def test_a_leaf_pays_once_and_only_when_final(model: DeployedModel) -> None:
    payouts = model.payouts(1)
    root = model.root(payouts)
    with refused("EpochDistributorEpochNotFinal"):
        model.send(model.claim(payouts, 0))
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers)))
    with refused("EpochRootsWindowOpen"):
        model.send(model.registry.finalize(1))
    with refused("EpochDistributorEpochNotFinal"):
        model.send(model.claim(payouts, 0))
    model.wait(61)
    with refused("EpochRootsWindowClosed"):
        model.send(model.registry.challenge(1), PARAMS.bond)
    model.send(model.registry.finalize(1))
    model.send(model.claim(payouts, 0))
    assert model.token.balance_of(model.holder.address) == 900
    assert model.token.votes(model.holder.address) == 900
    with refused("EpochDistributorLeafPaid"):
        model.send(model.claim(payouts, 0))
    with refused("EpochDistributorProofRefused"):
        model.send(model.claim([replace(payouts[0], amount=901), payouts[1]], 0))
    assert model.distributor.paid(1) == 900


@holds(
    "The holders set the largest total of an epoch",
    by="contracts/solidity/EpochRoots.sol:setMaxEpochTotal",
    against=Threat.WRONG_PAY,
)
def test_holders_lower_what_an_epoch_may_pay(model: DeployedModel) -> None:
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    model.carry(Action.of(model.registry.set_max_epoch_total(1_799)), "less for an epoch")
    assert model.registry.max_epoch_total() == 1_799
    root = model.root(model.payouts(2))
    with refused("EpochRootsTotalTooLarge"):
        model.send(model.registry.propose(root, model.signatures(root, model.verifiers)))


def test_holders_name_a_release_once(model: DeployedModel) -> None:
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    release = model.models.record_release(model.id, "1.0.0", b"w" * 32, "Apache-2.0")
    with refused("ModelRegistryNotTimelock"):
        model.send(release)
    model.carry(Action.of(release), "first release")
    assert model.models.release_of(model.id, "1.0.0") == b"w" * 32
    other = model.models.record_release(model.id, "1.0.0", b"x" * 32, "Apache-2.0")
    with refused("ModelRegistryReleaseKnown"), rejections():
        other.call({"from": Web3.to_checksum_address(model.deployment.timelock)})


def challenge_of_a_deaf_contract(model: DeployedModel, epoch: int) -> Address:
    """A contract that challenges an epoch as it is made, and reverts whatever is sent to it; returns its address."""
    selector, registry = keccak256(b"challenge(uint64)")[:4], bytes.fromhex(model.registry.address[2:])
    call = b"\x63" + selector + bytes.fromhex("60e01b5f5260") + bytes([epoch]) + bytes.fromhex("600452")  # its calldata
    call += bytes.fromhex("5f5f60245f3473") + registry + bytes.fromhex("5af1")  # with the value that it was made with
    code = call + bytes.fromhex("50625f5ffd5f526003601df3")  # what stays of it is PUSH0 PUSH0 REVERT
    payable = {"type": "constructor", "inputs": [], "stateMutability": "payable"}
    made = model.w3.eth.contract(abi=[payable], bytecode=code).constructor()
    receipt = send(model.w3, model.deployer, made, value=model.registry.bond_now())
    return as_address(str(receipt["contractAddress"]))


@holds(
    "A payment that is not accepted stays with its owner",
    by="contracts/solidity/PullPayments.sol:withdraw",
    against=Threat.LOST_FUNDS,
)
def test_a_payment_that_is_not_taken_waits_for_its_owner(model: DeployedModel) -> None:
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    root = model.root(model.payouts(2))
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    deaf = challenge_of_a_deaf_contract(model, 2)
    assert model.registry.epoch_of(2).challenger == deaf
    model.carry(Action.of(decided(model.registry, 2, True)), "the challenger was right")
    assert model.registry.owed(deaf) == PARAMS.bond
    events = contract_at(model.w3, "VerifierRegistry", model.registry.address).events
    (owed,) = events.PaymentOwed.get_logs(from_block=model.deployment.block)
    assert dict(owed["args"]) == {"account": deaf, "amount": PARAMS.bond}
    with refused("PullPaymentsNothingOwed"):
        model.send(model.registry.withdraw())


@holds("Only the timelock makes a decision", by="contracts/solidity/ModelRegistry.sol:decide", against=Threat.TAKEOVER)
def test_votes_change_the_registry_through_the_timelock(model: DeployedModel) -> None:
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    action = Action.of(model.models.decide(model.id, b"d" * 32, "inner_lr", "0.001"))
    model.carry(action, "lower the rate")
    assert model.models.value_of(model.id, "inner_lr") == "0.001"
    (decision,) = model.models.decisions(model.id)
    assert (decision.sequence, decision.key, decision.value) == (1, "inner_lr", "0.001")


@holds(
    "A challenge stops a root, and a failed challenge restarts the window",
    by="contracts/solidity/EpochRoots.sol:resolve",
    against=Threat.BAD_VERIFIER,
)
def test_challenges_restart_the_window_or_reject_the_root(model: DeployedModel) -> None:
    model.send(model.claim(model.finalized(1), 0))
    payouts = model.payouts(2)
    root = model.root(payouts)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    with refused("EpochRootsWrongBond"):
        model.send(model.registry.challenge(2), 1)
    model.send(model.registry.challenge(2), PARAMS.bond)
    with refused("AccessControlUnauthorizedAccount"):
        model.send(decided(model.registry, 2, False))
    model.wait(61)
    with refused("EpochRootsWrongStatus"):
        model.send(model.registry.finalize(2))
    signers = [model.w3.eth.get_balance(v.address) for v in model.verifiers]
    model.carry(Action.of(decided(model.registry, 2, False)), "challenge fails")
    got = [model.w3.eth.get_balance(v.address) - before for v, before in zip(model.verifiers, signers, strict=True)]
    assert got == [PARAMS.bond // 2, PARAMS.bond // 2, 0]
    with refused("EpochRootsWindowOpen"):
        model.send(model.registry.finalize(2))
    with refused("EpochRootsWrongBond"):
        model.send(model.registry.challenge(2), PARAMS.bond)
    assert model.registry.bond_now() == 2 * PARAMS.bond
    model.send(model.registry.challenge(2), 2 * PARAMS.bond)
    model.carry(Action.of(decided(model.registry, 2, True)), "challenge holds")
    state = model.registry.epoch_of(2)
    assert (state.status, state.attempt) == (EpochStatus.NONE, 1)
    assert [model.registry.stake_of(v.address) for v in model.verifiers] == [0, 0, PARAMS.min_stake]
    with refused("EpochRootsWrongAttempt"):
        model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    again = model.root(payouts, attempt=1)
    with refused("VerifierSetStakeTooSmall"):
        model.send(model.registry.propose(again, model.signatures(again, model.verifiers[:2])))


@holds(
    "No decision passes with fewer votes than the floor, however small the supply is",
    by="contracts/solidity/ModelGovernor.sol:quorum",
    against=Threat.TAKEOVER,
)
def test_the_quorum_is_a_share_of_the_supply_above_a_floor(model: DeployedModel) -> None:
    def quorum() -> int:
        model.wait(2)
        return model.governor.quorum(int(model.w3.eth.get_block("latest")["timestamp"]) - 1)

    assert (quorum(), model.governor.quorum_floor()) == (PARAMS.quorum_floor, PARAMS.quorum_floor)
    payouts = model.finalized(1)
    model.send(model.claim(payouts, 0))
    assert quorum() == 900 * PARAMS.quorum_fraction // 100 > PARAMS.quorum_floor


@holds(
    "A verifier is punished once for a fault, by the signatures of k others",
    by="contracts/solidity/VerifierSet.sol:punish",
    against=Threat.BAD_VERIFIER,
)
def test_a_fault_is_punished_once_on_the_word_of_k_others(model: DeployedModel) -> None:
    lazy, *others = model.verifiers
    fault = VerifierFault(model.id, lazy.address, b"e" * 32, 2**40)
    assert model.registry.hash_fault(fault) == digest(fault, Domain(31337, model.registry.address))
    with refused("VerifierSetTooFewSignatures"):
        model.send(model.registry.punish(fault, model.signatures(fault, others[:1])))
    with refused("VerifierSetOwnCase"):
        model.send(model.registry.punish(fault, model.signatures(fault, [lazy, others[0]])))
    with refused("VerifierSetWrongModel"):
        foreign = replace(fault, model=b"m" * 32)
        model.send(model.registry.punish(foreign, model.signatures(foreign, others)))
    with refused("VerifierSetDeadlinePassed"):
        late = replace(fault, deadline=1)
        model.send(model.registry.punish(late, model.signatures(late, others)))
    model.send(model.registry.punish(fault, model.signatures(fault, others)))
    assert model.registry.stake_of(lazy.address) == 0
    assert model.registry.held_of(ground_of("fault", fault.evidence), lazy.address).amount == PARAMS.slash_cap
    with refused("HeldMoneyNothingTaken"):
        model.send(model.registry.punish(fault, model.signatures(fault, others)))
