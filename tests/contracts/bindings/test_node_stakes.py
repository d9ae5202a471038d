"""Stakes of nodes on a fresh chain: what counts, what waits, and what k verifiers can take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.bindings.held_money import ground_of
from contracts.bindings.node_stakes import NodeStakes, Withdrawal
from contracts.bindings.verifier_registry import in_signer_order
from contracts.chain.connection import contract_at, send
from contracts.devnet.chain import Devnet
from contracts.ids import Address
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.messages.signatures import Domain, digest, sign
from tests.contracts.bindings.test_contracts import PARAMS, World, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

CAP, DELAY = PARAMS.node_slash_cap, PARAMS.node_withdrawal_delay


class Staking(World):
    """A model on which the deployer is a node, since it holds coins."""

    def _reach(self, chain: Devnet) -> None:
        super()._reach(chain)
        self.stakes = NodeStakes(self.w3, self.registry.address)
        self.node = self.deployer.address

    def fault(self, proof: bytes = b"p" * 32, node: Address | None = None) -> NodeFault:
        return NodeFault(self.model, node or self.node, proof, 2**40)

    def slash(self, fault: NodeFault) -> Any:
        return self.send(self.stakes.slash(fault, self.signatures(fault, self.verifiers[:2])))

    def held(self, node: Address | None = None) -> tuple[int, int]:
        """Stake and pending withdrawal."""
        return self.stakes.stake_of(node or self.node), self.stakes.pending_of(node or self.node).amount

    def balance(self, address: str) -> int:
        return self.w3.eth.get_balance(Web3.to_checksum_address(address))

    def settle(self, epoch: int, settled_at: int) -> None:
        """Make an epoch final that closed at that time."""
        root = replace(self.root(self.payouts(epoch)), settledAt=settled_at)
        self.send(self.registry.propose(root, self.signatures(root, self.verifiers[:2])))
        self.wait(61)
        self.send(self.registry.finalize(epoch))


@pytest.fixture
def world() -> Staking:
    return Staking.fresh()


def test_both_sides_hash_alike(world: Staking) -> None:
    fault = world.fault()
    assert world.stakes.hash_fault(fault) == digest(fault, Domain(31337, world.registry.address))


def test_withdrawn_stake_stops_counting_and_is_paid_once(world: Staking) -> None:
    """After the delay."""
    world.send(world.stakes.stake(), 700)
    world.send(world.stakes.stake(), 800)
    assert world.held() == (1500, 0)
    for amount in (0, 1501):
        with refused("NodeStakesStakeTooSmall"):
            world.send(world.stakes.request_withdrawal(amount))
    with refused("NodeStakesNoWithdrawal"):
        world.send(world.stakes.withdraw(world.holder.address))
    world.send(world.stakes.request_withdrawal(400))
    assert world.held() == (1100, 400)
    assert world.stakes.pending_of(world.node) == Withdrawal(400, world.now(), world.now() + DELAY)
    world.wait(DELAY - 100)
    world.send(world.stakes.request_withdrawal(1000))
    assert world.held() == (100, 1400)
    assert world.stakes.pending_of(world.node) == Withdrawal(1400, world.now(), world.now() + DELAY)
    world.wait(DELAY - 100)  # the first request alone would be free by now
    with refused("NodeStakesWithdrawalLocked"):
        world.send(world.stakes.withdraw(world.holder.address))
    world.wait(101)
    world.send(world.stakes.withdraw(world.holder.address))
    assert world.balance(world.holder.address) == 1400
    assert world.held() == (100, 0)
    with refused("NodeStakesNoWithdrawal"):
        world.send(world.stakes.withdraw(world.holder.address))


@holds(
    "A node's stake is paid back once two final epochs settle all rounds open at its request, or after a long delay",
    by="contracts/solidity/NodeStakes.sol:withdrawNodeStake",
    against=Threat.FALSE_WORK,
)
def test_a_withdrawal_waits_for_two_epochs_that_settled_its_past(world: Staking) -> None:
    """Two final ones that settled all before its request."""
    world.send(world.stakes.stake(), 700)
    world.send(world.stakes.request_withdrawal(300))
    asked = world.now()
    pending = world.stakes.pending_of(world.node)
    for epoch, settled_at, left in ((1, asked, 2), (2, asked + 1, 1), (3, asked - 5, 1), (4, asked, 1)):
        world.settle(epoch, settled_at)
        assert world.stakes.epochs_to_wait(pending) == left
        with refused("NodeStakesWithdrawalLocked"):
            world.send(world.stakes.withdraw(world.holder.address))
    world.settle(5, asked + 1)
    assert world.stakes.epochs_to_wait(pending) == 0
    assert world.now() < pending.available_at
    world.send(world.stakes.withdraw(world.holder.address))
    assert world.balance(world.holder.address) == 300


def test_a_second_request_waits_for_two_epochs_anew(world: Staking) -> None:
    world.send(world.stakes.stake(), 700)
    world.send(world.stakes.request_withdrawal(300))
    world.settle(1, world.now())
    world.settle(2, world.now())
    world.wait(1)
    world.send(world.stakes.request_withdrawal(10))
    asked = world.now()
    for epoch in (3, 4):
        with refused("NodeStakesWithdrawalLocked"):
            world.send(world.stakes.withdraw(world.holder.address))
        world.wait(1)
        world.settle(epoch, asked + 1)
    world.send(world.stakes.withdraw(world.holder.address))
    assert world.balance(world.holder.address) == 310


def test_a_change_of_a_stake_has_a_least_size(world: Staking) -> None:
    """Each is read by everybody and stands in the log for ever: at no price a stranger would fill both."""
    step = CAP // 100
    for value in (0, 1, step - 1):
        with refused("NodeStakesStepTooSmall"):
            world.send(world.stakes.stake(), value)
    world.send(world.stakes.stake(), step + 3)
    with refused("NodeStakesStepTooSmall"):
        world.send(world.stakes.request_withdrawal(step - 1))
    world.send(world.stakes.request_withdrawal(step))
    with refused("NodeStakesStepTooSmall"):
        world.send(world.stakes.request_withdrawal(2))
    world.send(world.stakes.request_withdrawal(3))  # all that is left
    assert world.held() == (0, step + 3)


def test_epochs_that_were_final_before_a_request_do_not_free_it(world: Staking) -> None:
    for epoch in (1, 2, 3):
        world.settle(epoch, world.now())
    world.send(world.stakes.stake(), 700)
    world.send(world.stakes.request_withdrawal(300))
    with refused("NodeStakesWithdrawalLocked"):
        world.send(world.stakes.withdraw(world.holder.address))


def test_a_refused_payment_leaves_the_withdrawal_as_it_was(world: Staking) -> None:
    world.send(world.stakes.stake(), 700)
    world.send(world.stakes.request_withdrawal(700))
    world.wait(DELAY + 1)
    with refused("PullPaymentsTransferFailed"):
        world.send(world.stakes.withdraw(world.deployment.token))
    assert world.held() == (0, 700)


def test_a_slash_is_capped_and_takes_stake_before_withdrawals(world: Staking) -> None:
    registry = world.registry.address
    other = world.verifiers[2]
    send(world.w3, other, world.stakes.stake(), value=5000)
    world.send(world.stakes.stake(), 2500)
    world.send(world.stakes.request_withdrawal(800))
    whole = world.balance(registry)
    steps = (
        (b"1", CAP, (700, 800)),
        (b"2", CAP, (0, 500)),
        (b"3", 500, (0, 0)),
    )
    for proof, amount, left in steps:
        receipt = world.slash(world.fault(proof * 32))
        assert world.held() == left
        assert world.registry.held_of(ground_of("proof", proof * 32), world.node).amount == amount
        assert world.balance(registry) == whole
        (event,) = contract_at(world.w3, "VerifierRegistry", registry).events.NodeSlashed.get_logs(
            from_block=receipt["blockNumber"]
        )
        assert dict(event["args"]) == {"node": world.node, "proof": proof * 32, "amount": amount}
    assert world.held(other.address) == (5000, 0)
    assert [world.registry.stake_of(v.address) for v in world.verifiers] == [PARAMS.min_stake] * 3


@holds(
    "A node is slashed once for a proof, by the signatures of k verifiers, even during its withdrawal",
    by="contracts/solidity/NodeStakes.sol:slashNode",
    against=Threat.FALSE_WORK,
)
def test_a_withdrawal_asked_for_before_the_slash_saves_nothing(world: Staking) -> None:
    world.send(world.stakes.stake(), CAP)
    world.send(world.stakes.request_withdrawal(CAP))
    world.wait(DELAY + 1)  # free, and not yet paid
    world.slash(world.fault())
    assert world.held() == (0, 0)
    assert world.registry.held_of(ground_of("proof", world.fault().proof), world.node).amount == CAP
    with refused("NodeStakesNoWithdrawal"):
        world.send(world.stakes.withdraw(world.holder.address))


def test_a_node_is_slashed_once_for_a_proof_whatever_is_signed(world: Staking) -> None:
    world.send(world.stakes.stake(), 3 * CAP)
    world.slash(world.fault())
    for again in (world.fault(), replace(world.fault(), deadline=2**41)):
        with refused("HeldMoneyNothingTaken"):
            world.slash(again)
    assert world.held() == (2 * CAP, 0)
    with refused("HeldMoneyNothingTaken"):
        world.slash(world.fault(node=world.holder.address))  # it has no stake, and this one spends nothing of its own
    world.slash(world.fault(b"q" * 32))
    assert world.held() == (CAP, 0)


def test_only_k_sorted_signatures_of_staked_verifiers_slash(world: Staking) -> None:
    world.send(world.stakes.stake(), CAP)
    fault, (first, second, third) = world.fault(), world.verifiers
    a, b, c = in_signer_order(world.signatures(fault, world.verifiers))
    punishment = VerifierFault(world.model, third.address, b"e" * 32, 2**40)
    world.send(world.registry.punish(punishment, world.signatures(punishment, [first, second])))
    strangers: list[LocalAccount] = [world.holder, world.deployer]
    elsewhere = [sign(fault, Domain(1, world.registry.address), bytes(v.key)) for v in (first, second)]
    refusals: tuple[tuple[str, list[bytes]], ...] = (
        ("VerifierSetTooFewSignatures", []),
        ("VerifierSetTooFewSignatures", [a]),
        ("VerifierSetSignersNotSorted", [b, a]),
        ("VerifierSetSignersNotSorted", [a, a]),
        ("VerifierSetNotVerifier", in_signer_order(world.signatures(fault, strangers))),
        ("VerifierSetNotVerifier", elsewhere),  # signed for another chain
        ("VerifierSetStakeTooSmall", [a, c]),
    )
    for error, signatures in refusals:
        with refused(error):
            world.send(world.stakes.slash_raw(fault, signatures))
    with refused("VerifierSetNotVerifier"):  # signed for another proof
        world.send(world.stakes.slash_raw(world.fault(b"q" * 32), [a, b]))
    assert world.held() == (CAP, 0)
    world.send(world.stakes.slash_raw(fault, [a, b]))
    assert world.held() == (0, 0)


def test_a_foreign_or_expired_fault_slashes_nobody(world: Staking) -> None:
    world.send(world.stakes.stake(), CAP)
    with refused("VerifierSetWrongModel"):
        world.slash(replace(world.fault(), model=b"m" * 32))
    with refused("VerifierSetDeadlinePassed"):
        world.slash(replace(world.fault(), deadline=world.now() - 1))
    assert world.held() == (CAP, 0)
    world.slash(world.fault())


def test_the_events_tell_the_stake_at_every_block(world: Staking) -> None:
    start, other = world.deployment.block, world.verifiers[2]
    expected: dict[int, int] = {}
    calls = (
        (world.stakes.stake(), 1500, 1500),
        (world.stakes.request_withdrawal(300), 0, 1200),
        (world.stakes.stake(), 50, 1250),
        (slashing(world, b"1"), 0, 250),
        (world.stakes.request_withdrawal(250), 0, 0),
        (slashing(world, b"2"), 0, 0),  # from the withdrawal alone
        (world.stakes.stake(), 70, 70),
    )
    for call, value, stake in calls:
        expected[world.send(call, value)["blockNumber"]] = stake
        send(world.w3, other, world.stakes.stake(), value=90)
        world.chain.mine()
    last = 0
    for block in range(start, world.w3.eth.block_number + 1):
        last = expected.get(block, last)
        assert world.stakes.stake_at(world.node, block) == last, block
        at_the_time = contract_at(world.w3, "VerifierRegistry", world.registry.address).functions
        assert at_the_time.nodeStakeOf(world.node).call(block_identifier=block) == last, block
    assert world.stakes.stake_at(other.address, world.w3.eth.block_number) == 90 * len(calls)
    assert world.stakes.stake_at(world.holder.address, world.w3.eth.block_number) == 0


def slashing(world: Staking, proof: bytes) -> Any:
    fault = world.fault(proof * 32)
    return world.stakes.slash(fault, world.signatures(fault, world.verifiers[:2]))
