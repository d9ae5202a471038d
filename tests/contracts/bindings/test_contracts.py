"""The contracts on a fresh chain: what they pay, refuse and obey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any, Self, TypeVar

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.capital_pool import CapitalPool, PoolStatus
from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.governor import Action, ModelGovernor, ProposalState
from contracts.bindings.held_money import ground_of
from contracts.bindings.model_registry import ModelRegistry
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import EpochStatus, VerifierRegistry
from contracts.chain.connection import ContractRejected, connect_devnet, contract_at, rejections, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.check import check_genesis
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.genesis.refused import GenesisRefused
from contracts.ids import NO_ADDRESS, Address, as_address
from contracts.keccak import keccak256
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.for_contracts import EpochRoot, Message, VerifierFault
from contracts.messages.signatures import Domain, digest, sign
from tests.chains import StillChain, twin
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

PARAMS = GenesisParams(
    voting_delay=1,
    voting_period=30,
    timelock_delay=5,
    late_quorum_extension=0,
    challenge_window=60,
    dispute_limit=600,
    quorum_floor=10,
    proposal_threshold=1,
    max_epoch_total=10_000,
    node_slash_cap=1_000,
    node_withdrawal_delay=600,
)


Made = TypeVar("Made", bound="World")


def decided(registry: VerifierRegistry, epoch: int, upheld: bool) -> ContractFunction:
    """The holders' decision on the dispute that is open."""
    state = registry.epoch_of(epoch)
    return registry.resolve(epoch, state.root, state.challenged_at, upheld)


class World:
    """One deployed model with three staked verifiers; `beside` another one, of another owner, on the same registry."""

    def __init__(self, beside: World | None = None, params: GenesisParams = PARAMS) -> None:
        self.deployer: LocalAccount = beside.rival if beside else Account.create()
        self.rival: LocalAccount = Account.create()
        self.holder: LocalAccount = beside.holder if beside else Account.create()
        created = (Account.create() for _ in range(3))
        self.verifiers: list[LocalAccount] = (
            beside.verifiers if beside else sorted(created, key=lambda a: int(a.address, 16))
        )
        funded = [a.address for a in [self.deployer, self.rival, *self.verifiers]]
        chain = beside.chain if beside else StillChain(funded)
        addresses: list[str] = [v.address for v in self.verifiers]
        shared = beside.deployment if beside else None
        w3 = connect_devnet(chain)
        self.deployment: Deployment = deploy_model(w3, self.deployer, "m", "M", addresses, params, shared)
        self.model = bytes.fromhex(self.deployment.model[2:])
        self._reach(chain)
        for verifier in self.verifiers:
            send(self.w3, verifier, self.registry.stake(), value=PARAMS.min_stake)

    @classmethod
    def fresh(cls) -> Self:
        """As it is at the start, on a chain of its own."""
        made: Self = copy(_template(cls))  # type: ignore[arg-type]
        made._reach(twin(made.chain))
        return made

    def _reach(self, chain: Devnet) -> None:
        self.chain, d = chain, self.deployment
        self.w3: Web3 = connect_devnet(chain)
        self.registry = VerifierRegistry(self.w3, d.verifier_registry)
        self.distributor = EpochDistributor(self.w3, d.distributor)
        self.token = ModelToken(self.w3, d.token)
        self.governor = ModelGovernor(self.w3, d.governor)
        self.models = ModelRegistry(self.w3, d.model_registry)

    def now(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def wait(self, seconds: int) -> None:
        self.chain.increase_time(seconds)
        self.chain.mine()

    def send(self, call: Any, value: int = 0) -> Any:
        return send(self.w3, self.deployer, call, value=value)

    def payouts(self, epoch: int, amount: int = 900) -> list[Payout]:
        accounts = [self.holder.address, self.deployer.address]
        return [Payout(31337, self.deployment.distributor, epoch, i, a, 0, amount) for i, a in enumerate(accounts)]

    def root(self, payouts: list[Payout], attempt: int = 0) -> EpochRoot:
        tree = PayoutTree.of([p.leaf() for p in payouts])
        return EpochRoot(
            model=self.model,
            epoch=payouts[0].epoch,
            attempt=attempt,
            root=tree.root,
            total=sum(p.amount for p in payouts),
            count=len(payouts),
            logSize=5,
            logRoot=b"l" * 32,
            settledAt=self.now(),
            deadline=2**40,
        )

    def signatures(self, root: Message, signers: list[LocalAccount]) -> dict[str, bytes]:
        domain = Domain(31337, self.registry.address)
        return {s.address: sign(root, domain, bytes(s.key)) for s in signers}

    def claim(self, payouts: list[Payout], index: int) -> Any:
        p = payouts[index]
        proof = PayoutTree.of([q.leaf() for q in payouts]).proof(p.leaf())
        return self.distributor.claim(p.epoch, p.index, p.account, p.kind, p.amount, proof)

    def finalized(self, epoch: int) -> list[Payout]:
        payouts = self.payouts(epoch)
        self.finalize(payouts)
        return payouts

    def finalize(self, payouts: list[Payout]) -> None:
        root = self.root(payouts)
        self.send(self.registry.propose(root, self.signatures(root, self.verifiers[:2])))
        self.wait(61)
        self.send(self.registry.finalize(root.epoch))

    def carry(self, action: Action, description: str) -> None:
        """Pass one action through signed proposal, signed ballot, timelock."""
        signature = self.governor.sign_proposal(self.holder, [action], description, 2**40)
        call = self.governor.propose_by_sig(self.holder.address, [action], description, 2**40, signature)
        self.send(call)
        proposal = self.governor.proposal_id([action], description)
        with refused("ModelGovernorProposalNotSigned"):  # its nonce is spent
            self.send(call)
        self.wait(3)
        self.send(self.governor.relay_votes([self.governor.sign_ballot(self.holder, proposal, 1)]))
        assert self.governor.has_voted(proposal, self.holder.address)
        self.wait(40)
        self.send(self.governor.queue([action], description))
        with refused("TimelockUnexpectedOperationState"):
            self.send(self.governor.execute([action], description))
        self.wait(6)
        self.send(self.governor.execute([action], description))
        assert self.governor.state(proposal) is ProposalState.EXECUTED

    def as_timelock(self, call: ContractFunction) -> None:
        """Try a call as the timelock: nothing is written."""
        with rejections():
            call.call({"from": Web3.to_checksum_address(self.deployment.timelock)})


@cache
def _template(kind: type[Made]) -> Made:
    return kind()


@pytest.fixture
def world() -> World:
    return World.fresh()


@contextmanager
def refused(error: str) -> Iterator[None]:
    with pytest.raises(ContractRejected) as caught:
        yield
    assert caught.value.error == error


@holds(
    "Python and Solidity compute the same digest of a message",
    by="contracts/messages/signatures.py:digest",
    against=Threat.FORGED_MESSAGE,
)
def test_both_sides_hash_alike(world: World) -> None:
    payouts = world.payouts(1)
    root = world.root(payouts)
    assert world.registry.hash_epoch_root(root) == digest(root, Domain(31337, world.registry.address))
    p = payouts[0]
    assert world.distributor.leaf_of(p.epoch, p.index, p.account, p.kind, p.amount) == p.leaf()


@holds("No key holds a role after genesis", by="contracts/genesis/powers.py:check_roles", against=Threat.TAKEOVER)
def test_no_key_holds_power_after_genesis(world: World) -> None:
    check_genesis(world.w3, world.deployment)
    token = contract_at(world.w3, "ModelToken", world.deployment.token)
    with refused("AccessControlUnauthorizedAccount"):
        world.send(token.functions.setBudget(world.deployer.address, 1))
    with refused("ModelTokenReserveExceeded"):
        world.send(world.token.mint(b"r" * 32, world.deployer.address, 1))
    with refused("ModelRegistryNotTimelock"):
        world.send(world.models.decide(world.model, b"d" * 32, "lr", "1"))
    for call in (
        world.registry.admit(world.deployer.address),
        world.registry.remove(world.verifiers[0].address),
        world.registry.set_threshold(1),
        world.registry.set_max_epoch_total(1),
        world.registry.resolve(1, b"r" * 32, 1, True),
        world.token.set_minting_paused(True),
    ):
        with refused("AccessControlUnauthorizedAccount"):
            world.send(call)


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
def test_signatures_must_be_enough_sorted_and_distinct(world: World) -> None:
    root = world.root(world.payouts(1))
    a, b = world.signatures(root, world.verifiers[:2]).values()
    with refused("VerifierSetTooFewSignatures"):
        world.send(world.registry.propose_raw(root, [a]))
    with refused("VerifierSetSignersNotSorted"):
        world.send(world.registry.propose_raw(root, [b, a]))
    with refused("VerifierSetSignersNotSorted"):
        world.send(world.registry.propose_raw(root, [a, a]))
    with refused("VerifierSetNotVerifier"):
        world.send(world.registry.propose(root, world.signatures(root, [world.holder, world.deployer])))
    with refused("EpochRootsTotalTooLarge"):
        big = world.root(world.payouts(1, 9_000))
        world.send(world.registry.propose(big, world.signatures(big, world.verifiers)))
    with refused("EpochRootsWrongEpoch"):
        later = world.root(world.payouts(2))
        world.send(world.registry.propose(later, world.signatures(later, world.verifiers)))


def test_a_root_is_of_an_epoch_that_has_closed(world: World) -> None:
    root = replace(world.root(world.payouts(1)), settledAt=world.now() + 1_000)
    with refused("EpochRootsSettledInFuture"):
        world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    world.wait(1_000)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    assert world.registry.epoch_of(1).settled_at == root.settledAt


@holds(
    "An epoch without payees becomes final, and no claim on it succeeds",
    by="contracts/solidity/EpochRoots.sol:propose",
    against=Threat.WRONG_PAY,
)
def test_an_epoch_that_pays_nobody_ends_and_takes_no_claim(world: World) -> None:
    root = replace(world.root(world.payouts(1)), root=bytes(32), total=0, count=0)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    world.wait(61)
    receipt = world.send(world.registry.finalize(1))
    events = contract_at(world.w3, "VerifierRegistry", world.registry.address).events
    (said,) = events.EpochFinalized.get_logs(from_block=receipt["blockNumber"])
    assert dict(said["args"]) == {"epoch": 1, "attempt": 0, "root": bytes(32), "total": 0}
    for amount in (0, 1):
        payouts = world.payouts(1, amount)
        with refused("EpochDistributorProofRefused"):
            world.send(world.claim(payouts, 0))
        with refused("EpochDistributorProofRefused"):
            world.send(world.claim(payouts[:1], 0))
    world.send(world.claim(world.finalized(2), 0))


@holds(
    "A leaf is minted once, and only under a final root",
    by="contracts/solidity/ModelToken.sol:mint",
    against=Threat.WRONG_PAY,
)
def test_a_leaf_pays_once_and_only_when_final(world: World) -> None:
    payouts = world.payouts(1)
    root = world.root(payouts)
    with refused("EpochDistributorEpochNotFinal"):
        world.send(world.claim(payouts, 0))
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    with refused("EpochRootsWindowOpen"):
        world.send(world.registry.finalize(1))
    with refused("EpochDistributorEpochNotFinal"):
        world.send(world.claim(payouts, 0))
    world.wait(61)
    with refused("EpochRootsWindowClosed"):
        world.send(world.registry.challenge(1), PARAMS.bond)
    world.send(world.registry.finalize(1))
    world.send(world.claim(payouts, 0))
    assert world.token.balance_of(world.holder.address) == 900
    assert world.token.votes(world.holder.address) == 900
    with refused("EpochDistributorLeafPaid"):
        world.send(world.claim(payouts, 0))
    with refused("EpochDistributorProofRefused"):
        world.send(world.claim([replace(payouts[0], amount=901), payouts[1]], 0))
    assert world.distributor.paid(1) == 900


@holds(
    "The holders set the largest total of an epoch",
    by="contracts/solidity/EpochRoots.sol:setMaxEpochTotal",
    against=Threat.WRONG_PAY,
)
def test_holders_lower_what_an_epoch_may_pay(world: World) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    world.carry(Action.of(world.registry.set_max_epoch_total(1_799)), "less for an epoch")
    assert world.registry.max_epoch_total() == 1_799
    root = world.root(world.payouts(2))
    with refused("EpochRootsTotalTooLarge"):
        world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))


def test_holders_name_a_release_once(world: World) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    release = world.models.record_release(world.model, "1.0.0", b"w" * 32, "Apache-2.0")
    with refused("ModelRegistryNotTimelock"):
        world.send(release)
    world.carry(Action.of(release), "first release")
    assert world.models.release_of(world.model, "1.0.0") == b"w" * 32
    other = world.models.record_release(world.model, "1.0.0", b"x" * 32, "Apache-2.0")
    with refused("ModelRegistryReleaseKnown"), rejections():
        other.call({"from": Web3.to_checksum_address(world.deployment.timelock)})


def challenge_of_a_deaf_contract(world: World, epoch: int) -> Address:
    """A contract that challenges an epoch as it is made, and reverts whatever is sent to it; returns its address."""
    selector, registry = keccak256(b"challenge(uint64)")[:4], bytes.fromhex(world.registry.address[2:])
    call = b"\x63" + selector + bytes.fromhex("60e01b5f5260") + bytes([epoch]) + bytes.fromhex("600452")  # its calldata
    call += bytes.fromhex("5f5f60245f3473") + registry + bytes.fromhex("5af1")  # with the value that it was made with
    code = call + bytes.fromhex("50625f5ffd5f526003601df3")  # what stays of it is PUSH0 PUSH0 REVERT
    payable = {"type": "constructor", "inputs": [], "stateMutability": "payable"}
    made = world.w3.eth.contract(abi=[payable], bytecode=code).constructor()
    receipt = send(world.w3, world.deployer, made, value=world.registry.bond_now())
    return as_address(str(receipt["contractAddress"]))


@holds(
    "A payment that is not accepted stays with its owner",
    by="contracts/solidity/PullPayments.sol:withdraw",
    against=Threat.LOST_FUNDS,
)
def test_a_payment_that_is_not_taken_waits_for_its_owner(world: World) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    root = world.root(world.payouts(2))
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    deaf = challenge_of_a_deaf_contract(world, 2)
    assert world.registry.epoch_of(2).challenger == deaf
    world.carry(Action.of(decided(world.registry, 2, True)), "the challenger was right")
    assert world.registry.owed(deaf) == PARAMS.bond
    events = contract_at(world.w3, "VerifierRegistry", world.registry.address).events
    (owed,) = events.PaymentOwed.get_logs(from_block=world.deployment.block)
    assert dict(owed["args"]) == {"account": deaf, "amount": PARAMS.bond}
    with refused("PullPaymentsNothingOwed"):
        world.send(world.registry.withdraw())


@holds("Only the timelock makes a decision", by="contracts/solidity/ModelRegistry.sol:decide", against=Threat.TAKEOVER)
def test_votes_change_the_registry_through_the_timelock(world: World) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    action = Action.of(world.models.decide(world.model, b"d" * 32, "inner_lr", "0.001"))
    world.carry(action, "lower the rate")
    assert world.models.value_of(world.model, "inner_lr") == "0.001"
    (decision,) = world.models.decisions(world.model)
    assert (decision.sequence, decision.key, decision.value) == (1, "inner_lr", "0.001")


@holds(
    "A challenge stops a root, and a failed challenge restarts the window",
    by="contracts/solidity/EpochRoots.sol:resolve",
    against=Threat.BAD_VERIFIER,
)
def test_challenges_restart_the_window_or_reject_the_root(world: World) -> None:
    world.send(world.claim(world.finalized(1), 0))
    payouts = world.payouts(2)
    root = world.root(payouts)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    with refused("EpochRootsWrongBond"):
        world.send(world.registry.challenge(2), 1)
    world.send(world.registry.challenge(2), PARAMS.bond)
    with refused("AccessControlUnauthorizedAccount"):
        world.send(decided(world.registry, 2, False))
    world.wait(61)
    with refused("EpochRootsWrongStatus"):
        world.send(world.registry.finalize(2))
    signers = [world.w3.eth.get_balance(v.address) for v in world.verifiers]
    world.carry(Action.of(decided(world.registry, 2, False)), "challenge fails")
    got = [world.w3.eth.get_balance(v.address) - before for v, before in zip(world.verifiers, signers, strict=True)]
    assert got == [PARAMS.bond // 2, PARAMS.bond // 2, 0]
    with refused("EpochRootsWindowOpen"):
        world.send(world.registry.finalize(2))
    with refused("EpochRootsWrongBond"):
        world.send(world.registry.challenge(2), PARAMS.bond)
    assert world.registry.bond_now() == 2 * PARAMS.bond
    world.send(world.registry.challenge(2), 2 * PARAMS.bond)
    world.carry(Action.of(decided(world.registry, 2, True)), "challenge holds")
    state = world.registry.epoch_of(2)
    assert (state.status, state.attempt) == (EpochStatus.NONE, 1)
    assert [world.registry.stake_of(v.address) for v in world.verifiers] == [0, 0, PARAMS.min_stake]
    with refused("EpochRootsWrongAttempt"):
        world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    again = world.root(payouts, attempt=1)
    with refused("VerifierSetStakeTooSmall"):
        world.send(world.registry.propose(again, world.signatures(again, world.verifiers[:2])))


@holds(
    "No decision passes with fewer votes than the floor, however small the supply is",
    by="contracts/solidity/ModelGovernor.sol:quorum",
    against=Threat.TAKEOVER,
)
def test_the_quorum_is_a_share_of_the_supply_above_a_floor(world: World) -> None:
    def quorum() -> int:
        world.wait(2)
        return world.governor.quorum(int(world.w3.eth.get_block("latest")["timestamp"]) - 1)

    assert (quorum(), world.governor.quorum_floor()) == (PARAMS.quorum_floor, PARAMS.quorum_floor)
    payouts = world.finalized(1)
    world.send(world.claim(payouts, 0))
    assert quorum() == 900 * PARAMS.quorum_fraction // 100 > PARAMS.quorum_floor


@holds(
    "A verifier is punished once for a fault, by the signatures of k others",
    by="contracts/solidity/VerifierSet.sol:punish",
    against=Threat.BAD_VERIFIER,
)
def test_a_fault_is_punished_once_on_the_word_of_k_others(world: World) -> None:
    lazy, *others = world.verifiers
    fault = VerifierFault(world.model, lazy.address, b"e" * 32, 2**40)
    assert world.registry.hash_fault(fault) == digest(fault, Domain(31337, world.registry.address))
    with refused("VerifierSetTooFewSignatures"):
        world.send(world.registry.punish(fault, world.signatures(fault, others[:1])))
    with refused("VerifierSetOwnCase"):
        world.send(world.registry.punish(fault, world.signatures(fault, [lazy, others[0]])))
    with refused("VerifierSetWrongModel"):
        foreign = replace(fault, model=b"m" * 32)
        world.send(world.registry.punish(foreign, world.signatures(foreign, others)))
    with refused("VerifierSetDeadlinePassed"):
        late = replace(fault, deadline=1)
        world.send(world.registry.punish(late, world.signatures(late, others)))
    world.send(world.registry.punish(fault, world.signatures(fault, others)))
    assert world.registry.stake_of(lazy.address) == 0
    assert world.registry.held_of(ground_of("fault", fault.evidence), lazy.address).amount == PARAMS.slash_cap
    with refused("HeldMoneyNothingTaken"):
        world.send(world.registry.punish(fault, world.signatures(fault, others)))
