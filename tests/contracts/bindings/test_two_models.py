"""Two models of different owners on one registry, with the same verifiers and holder: neither can touch the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from contracts.bindings.capital_pool import CapitalPool
from contracts.bindings.governor import Action
from contracts.bindings.node_stakes import NodeStakes
from contracts.chain.connection import contract_at, rejections, send
from contracts.genesis.check import check_genesis
from contracts.merkle.payout_tree import PayoutTree
from contracts.messages.for_contracts import ClaimTo, NodeFault, VerifierFault
from contracts.messages.signatures import Domain, sign
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, refused
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration


class Pair:
    """Model `a` and model `b`, each with its first epoch final and claimed by the one holder of both."""

    def __init__(self) -> None:
        self.a = DeployedModel.fresh()
        coin = deploy_currency(self.a.w3, self.a.deployer, "PermitCurrency", 10**6)
        terms = replace(PARAMS, funding_currency=coin.address, funding_soft_cap=10, funding_hard_cap=100)
        self.b = DeployedModel(self.a, terms)
        for model in (self.a, self.b):
            model.send(model.claim(model.finalized(1), 0))
        self.a.wait(2)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


def test_both_stand_on_one_registry_under_ids_of_their_owners(pair: Pair) -> None:
    a, b = pair.a, pair.b
    assert a.deployment.model_registry == b.deployment.model_registry
    assert (a.deployment.name, a.deployment.deployer) != (b.deployment.name, b.deployment.deployer)
    assert a.id != b.id
    for model in (a, b):
        check_genesis(model.w3, model.deployment)
    assert not set(a.deployment.contracts()) & set(b.deployment.contracts()) - {a.deployment.model_registry}
    registry = contract_at(a.w3, "ModelRegistry", a.deployment.model_registry).functions
    with refused("ModelRegistryModelKnown"):  # neither the owner changes an entry, nor somebody else the owner's
        a.send(registry.register(b.deployment.entry()))
    with refused("ModelRegistryModelUnknown"):
        a.send(registry.register(("n", *b.deployment.entry()[1:2], "0x" + "00" * 20, *b.deployment.entry()[3:])))


@holds(
    "A timelock controls its own model only", by="contracts/solidity/ModelRegistry.sol:decide", against=Threat.TAKEOVER
)
def test_a_timelock_commands_its_own_model_only(pair: Pair) -> None:
    a, b = pair.a, pair.b
    pool = CapitalPool(b.w3, b.deployment.pool)
    for call in (
        b.registry.admit(a.holder.address),
        b.registry.set_max_epoch_total(10**30),
        b.token.set_budget(b.deployment.distributor, 10**20),
        b.token.set_minting_paused(True),
        pool.cancel(),
    ):
        b.as_timelock(call)
        with refused("AccessControlUnauthorizedAccount"):
            a.as_timelock(call)
    for call in (
        b.models.decide(b.id, b"d" * 32, "inner_lr", "1"),
        b.models.record_checkpoint(b.id, 1, b"c" * 32),
        b.models.record_release(b.id, "1.0.0", b"c" * 32, "MIT"),
    ):
        b.as_timelock(call)
        with refused("ModelRegistryNotTimelock"):
            a.as_timelock(call)


@holds(
    "A signature is valid for one model", by="contracts/solidity/EpochRoots.sol:propose", against=Threat.FORGED_MESSAGE
)
def test_signatures_of_the_same_verifiers_serve_one_model(pair: Pair) -> None:
    a, b = pair.a, pair.b
    root = a.root(a.payouts(2))
    signatures = a.signatures(root, a.verifiers[:2])
    with refused("VerifierSetWrongModel"):
        b.send(b.registry.propose(root, signatures))
    with refused("VerifierSetNotVerifier"):  # the other registry's digest recovers to nobody
        b.send(b.registry.propose(replace(root, model=b.id), signatures))
    stakes = NodeStakes(b.w3, b.registry.address)
    fault, lazy = NodeFault(a.id, a.holder.address, b"p" * 32, 2**40), a.verifiers[2].address
    with refused("VerifierSetWrongModel"):
        b.send(stakes.slash(fault, a.signatures(fault, a.verifiers[:2])))
    with refused("VerifierSetNotVerifier"):
        b.send(stakes.slash(replace(fault, model=b.id), a.signatures(fault, a.verifiers[:2])))
    accused = VerifierFault(a.id, lazy, b"e" * 32, 2**40)
    with refused("VerifierSetWrongModel"):
        b.send(b.registry.punish(accused, a.signatures(accused, a.verifiers[:2])))
    assert b.registry.stake_of(lazy) == PARAMS.min_stake


def test_a_claim_of_one_model_pays_nothing_at_the_other(pair: Pair) -> None:
    a, b = pair.a, pair.b
    payouts = a.payouts(1)
    second = payouts[1]  # not yet claimed
    leaf = second.leaf()
    proof = PayoutTree.of([p.leaf() for p in payouts]).proof(leaf)
    line = (second.epoch, second.index, second.account, second.kind, second.amount)
    with refused("EpochDistributorProofRefused"):
        b.send(b.distributor.claim(*line, proof))
    assert b.distributor.leaf_of(*line) != leaf
    a.send(a.distributor.claim(*line, proof))
    assert a.distributor.is_claimed(second.epoch, second.index)
    assert not b.distributor.is_claimed(second.epoch, second.index)
    assert b.token.balance_of(second.account) == 0


def test_a_signed_payee_of_one_model_is_none_at_the_other(pair: Pair) -> None:
    a, b = pair.a, pair.b
    line, to = b.payouts(1)[0], b.verifiers[0].address
    said = ClaimTo(1, 0, line.account, 0, line.amount, to, 2**40)
    proof = PayoutTree.of([p.leaf() for p in b.payouts(1)]).proof(line.leaf())
    for at, error in (
        (a, "EpochDistributorClaimNotSigned"),
        (b, "EpochDistributorLeafPaid"),
    ):  # signed for its own, it gets as far as what was paid
        signed = sign(said, Domain(31337, at.deployment.distributor), bytes(b.holder.key))
        with refused(error):
            b.send(b.distributor.claim_to(said, signed, proof))


def test_a_minter_of_one_model_has_no_budget_at_the_other(pair: Pair) -> None:
    a, b = pair.a, pair.b
    for minter, token in ((b.deployment.pool, a.token), (a.deployment.distributor, b.token)):
        assert token.budget_of(minter) == 0
        with refused("ModelTokenReserveExceeded"), rejections():
            token.mint(b"r" * 32, a.holder.address, 1).call({"from": Web3.to_checksum_address(minter)})


def test_a_ballot_counts_at_its_own_governor_alone(pair: Pair) -> None:
    """Even for a proposal of the same id."""
    a, b = pair.a, pair.b
    action = Action.of(a.models.decide(a.id, b"s" * 32, "inner_lr", "2"))
    for model in (a, b):
        signature = model.governor.sign_proposal(a.holder, [action], "same", 2**40)
        model.send(model.governor.propose_by_sig(a.holder.address, [action], "same", 2**40, signature))
    proposal = a.governor.proposal_id([action], "same")
    assert proposal == b.governor.proposal_id([action], "same")
    a.wait(3)
    ballot = a.governor.sign_ballot(a.holder, proposal, 1)
    b.send(b.governor.relay_votes([ballot]))
    assert not b.governor.has_voted(proposal, a.holder.address)
    a.send(a.governor.relay_votes([ballot]))
    assert a.governor.has_voted(proposal, a.holder.address)
    assert b.governor.votes(proposal) == (0, 0, 0)


def test_a_vote_of_one_model_cannot_decide_for_the_other(pair: Pair) -> None:
    a, b = pair.a, pair.b
    action = Action.of(b.models.decide(b.id, b"x" * 32, "inner_lr", "9"))
    with refused("ModelRegistryNotTimelock"):
        a.carry(action, "decide for the neighbours")
    assert b.models.value_of(b.id, "inner_lr") == ""
    assert b.models.sequence_of(b.id) == 0


def test_a_challenge_at_one_model_holds_up_nothing_at_the_other(pair: Pair) -> None:
    a, b = pair.a, pair.b
    for model in (a, b):
        root = model.root(model.payouts(2))
        model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    a.send(a.registry.challenge(2), PARAMS.bond)
    a.wait(61)
    with refused("EpochRootsWrongStatus"):
        a.send(a.registry.finalize(2))
    b.send(b.registry.finalize(2))
    assert (a.registry.finalized_epochs(), b.registry.finalized_epochs()) == (1, 2)
    domain = Domain(31337, a.registry.address)
    assert sign(root, domain, bytes(a.verifiers[0].key)) != b.signatures(root, b.verifiers[:1])[a.verifiers[0].address]
    send(b.w3, b.deployer, b.claim(b.payouts(2), 0))
    assert (a.distributor.paid(2), b.distributor.paid(2)) == (0, 900)
