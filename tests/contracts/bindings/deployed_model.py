"""A deployed model on a chain of its own, with three staked verifiers: what tests of the contracts begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any, Self, TypeVar

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.governor import Action, ModelGovernor, ProposalState
from contracts.bindings.model_registry import ModelRegistry
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import ContractRejected, connect_devnet, rejections, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.for_contracts import EpochRoot, Message
from contracts.messages.signatures import Domain, sign
from tests.chains import StillChain, twin

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


Made = TypeVar("Made", bound="DeployedModel")


def decided(registry: VerifierRegistry, epoch: int, upheld: bool) -> ContractFunction:
    """The holders' decision on the dispute that is open."""
    state = registry.epoch_of(epoch)
    return registry.resolve(epoch, state.root, state.challenged_at, upheld)


class DeployedModel:
    """One deployed model with three staked verifiers; `beside` another one, of another owner, on the same registry."""

    def __init__(self, beside: DeployedModel | None = None, params: GenesisParams = PARAMS) -> None:
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
        self.id = bytes.fromhex(self.deployment.model[2:])
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
            model=self.id,
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


@contextmanager
def refused(error: str) -> Iterator[None]:
    with pytest.raises(ContractRejected) as caught:
        yield
    assert caught.value.error == error
