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
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

CAP, DELAY = PARAMS.node_slash_cap, PARAMS.node_withdrawal_delay


class Staking(DeployedModel):
    """A model on which the deployer is a node, since it holds coins."""

    def _reach(self, chain: Devnet) -> None:
        super()._reach(chain)
        self.stakes = NodeStakes(self.w3, self.registry.address)
        self.node = self.deployer.address

    def fault(self, proof: bytes = b"p" * 32, node: Address | None = None) -> NodeFault:
        return NodeFault(self.id, node or self.node, proof, 2**40)

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
def staking() -> Staking:
    return Staking.fresh()


def test_both_sides_hash_alike(staking: Staking) -> None:
    fault = staking.fault()
    assert staking.stakes.hash_fault(fault) == digest(fault, Domain(31337, staking.registry.address))


def test_withdrawn_stake_stops_counting_and_is_paid_once(staking: Staking) -> None:
    """After the delay."""
    staking.send(staking.stakes.stake(), 700)
    staking.send(staking.stakes.stake(), 800)
    assert staking.held() == (1500, 0)
    for amount in (0, 1501):
        with refused("NodeStakesStakeTooSmall"):
            staking.send(staking.stakes.request_withdrawal(amount))
    with refused("NodeStakesNoWithdrawal"):
        staking.send(staking.stakes.withdraw(staking.holder.address))
    staking.send(staking.stakes.request_withdrawal(400))
    assert staking.held() == (1100, 400)
    assert staking.stakes.pending_of(staking.node) == Withdrawal(400, staking.now(), staking.now() + DELAY)
    staking.wait(DELAY - 100)
    staking.send(staking.stakes.request_withdrawal(1000))
    assert staking.held() == (100, 1400)
    assert staking.stakes.pending_of(staking.node) == Withdrawal(1400, staking.now(), staking.now() + DELAY)
    staking.wait(DELAY - 100)  # the first request alone would be free by now
    with refused("NodeStakesWithdrawalLocked"):
        staking.send(staking.stakes.withdraw(staking.holder.address))
    staking.wait(101)
    staking.send(staking.stakes.withdraw(staking.holder.address))
    assert staking.balance(staking.holder.address) == 1400
    assert staking.held() == (100, 0)
    with refused("NodeStakesNoWithdrawal"):
        staking.send(staking.stakes.withdraw(staking.holder.address))


@holds(
    "A node's stake is paid back once two final epochs settle all rounds open at its request, or after a long delay",
    by="contracts/solidity/NodeStakes.sol:withdrawNodeStake",
    against=Threat.FALSE_WORK,
)
def test_a_withdrawal_waits_for_two_epochs_that_settled_its_past(staking: Staking) -> None:
    """Two final ones that settled all before its request."""
    staking.send(staking.stakes.stake(), 700)
    staking.send(staking.stakes.request_withdrawal(300))
    asked = staking.now()
    pending = staking.stakes.pending_of(staking.node)
    for epoch, settled_at, left in ((1, asked, 2), (2, asked + 1, 1), (3, asked - 5, 1), (4, asked, 1)):
        staking.settle(epoch, settled_at)
        assert staking.stakes.epochs_to_wait(pending) == left
        with refused("NodeStakesWithdrawalLocked"):
            staking.send(staking.stakes.withdraw(staking.holder.address))
    staking.settle(5, asked + 1)
    assert staking.stakes.epochs_to_wait(pending) == 0
    assert staking.now() < pending.available_at
    staking.send(staking.stakes.withdraw(staking.holder.address))
    assert staking.balance(staking.holder.address) == 300


def test_a_second_request_waits_for_two_epochs_anew(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), 700)
    staking.send(staking.stakes.request_withdrawal(300))
    staking.settle(1, staking.now())
    staking.settle(2, staking.now())
    staking.wait(1)
    staking.send(staking.stakes.request_withdrawal(10))
    asked = staking.now()
    for epoch in (3, 4):
        with refused("NodeStakesWithdrawalLocked"):
            staking.send(staking.stakes.withdraw(staking.holder.address))
        staking.wait(1)
        staking.settle(epoch, asked + 1)
    staking.send(staking.stakes.withdraw(staking.holder.address))
    assert staking.balance(staking.holder.address) == 310


def test_a_change_of_a_stake_has_a_least_size(staking: Staking) -> None:
    """Each is read by everybody and stands in the log for ever: at no price a stranger would fill both."""
    step = CAP // 100
    for value in (0, 1, step - 1):
        with refused("NodeStakesStepTooSmall"):
            staking.send(staking.stakes.stake(), value)
    staking.send(staking.stakes.stake(), step + 3)
    with refused("NodeStakesStepTooSmall"):
        staking.send(staking.stakes.request_withdrawal(step - 1))
    staking.send(staking.stakes.request_withdrawal(step))
    with refused("NodeStakesStepTooSmall"):
        staking.send(staking.stakes.request_withdrawal(2))
    staking.send(staking.stakes.request_withdrawal(3))  # all that is left
    assert staking.held() == (0, step + 3)


def test_epochs_that_were_final_before_a_request_do_not_free_it(staking: Staking) -> None:
    for epoch in (1, 2, 3):
        staking.settle(epoch, staking.now())
    staking.send(staking.stakes.stake(), 700)
    staking.send(staking.stakes.request_withdrawal(300))
    with refused("NodeStakesWithdrawalLocked"):
        staking.send(staking.stakes.withdraw(staking.holder.address))


def test_a_refused_payment_leaves_the_withdrawal_as_it_was(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), 700)
    staking.send(staking.stakes.request_withdrawal(700))
    staking.wait(DELAY + 1)
    with refused("PullPaymentsTransferFailed"):
        staking.send(staking.stakes.withdraw(staking.deployment.token))
    assert staking.held() == (0, 700)


def test_a_slash_is_capped_and_takes_stake_before_withdrawals(staking: Staking) -> None:
    registry = staking.registry.address
    other = staking.verifiers[2]
    send(staking.w3, other, staking.stakes.stake(), value=5000)
    staking.send(staking.stakes.stake(), 2500)
    staking.send(staking.stakes.request_withdrawal(800))
    whole = staking.balance(registry)
    steps = (
        (b"1", CAP, (700, 800)),
        (b"2", CAP, (0, 500)),
        (b"3", 500, (0, 0)),
    )
    for proof, amount, left in steps:
        receipt = staking.slash(staking.fault(proof * 32))
        assert staking.held() == left
        assert staking.registry.held_of(ground_of("proof", proof * 32), staking.node).amount == amount
        assert staking.balance(registry) == whole
        (event,) = contract_at(staking.w3, "VerifierRegistry", registry).events.NodeSlashed.get_logs(
            from_block=receipt["blockNumber"]
        )
        assert dict(event["args"]) == {"node": staking.node, "proof": proof * 32, "amount": amount}
    assert staking.held(other.address) == (5000, 0)
    assert [staking.registry.stake_of(v.address) for v in staking.verifiers] == [PARAMS.min_stake] * 3


@holds(
    "A node is slashed once for a proof, by the signatures of k verifiers, even during its withdrawal",
    by="contracts/solidity/NodeStakes.sol:slashNode",
    against=Threat.FALSE_WORK,
)
def test_a_withdrawal_asked_for_before_the_slash_saves_nothing(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), CAP)
    staking.send(staking.stakes.request_withdrawal(CAP))
    staking.wait(DELAY + 1)  # free, and not yet paid
    staking.slash(staking.fault())
    assert staking.held() == (0, 0)
    assert staking.registry.held_of(ground_of("proof", staking.fault().proof), staking.node).amount == CAP
    with refused("NodeStakesNoWithdrawal"):
        staking.send(staking.stakes.withdraw(staking.holder.address))


def test_a_node_is_slashed_once_for_a_proof_whatever_is_signed(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), 3 * CAP)
    staking.slash(staking.fault())
    for again in (staking.fault(), replace(staking.fault(), deadline=2**41)):
        with refused("HeldMoneyNothingTaken"):
            staking.slash(again)
    assert staking.held() == (2 * CAP, 0)
    with refused("HeldMoneyNothingTaken"):
        staking.slash(
            staking.fault(node=staking.holder.address)
        )  # it has no stake, and this one spends nothing of its own
    staking.slash(staking.fault(b"q" * 32))
    assert staking.held() == (CAP, 0)


def test_only_k_sorted_signatures_of_staked_verifiers_slash(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), CAP)
    fault, (first, second, third) = staking.fault(), staking.verifiers
    a, b, c = in_signer_order(staking.signatures(fault, staking.verifiers))
    punishment = VerifierFault(staking.id, third.address, b"e" * 32, 2**40)
    staking.send(staking.registry.punish(punishment, staking.signatures(punishment, [first, second])))
    strangers: list[LocalAccount] = [staking.holder, staking.deployer]
    elsewhere = [sign(fault, Domain(1, staking.registry.address), bytes(v.key)) for v in (first, second)]
    refusals: tuple[tuple[str, list[bytes]], ...] = (
        ("VerifierSetTooFewSignatures", []),
        ("VerifierSetTooFewSignatures", [a]),
        ("VerifierSetSignersNotSorted", [b, a]),
        ("VerifierSetSignersNotSorted", [a, a]),
        ("VerifierSetNotVerifier", in_signer_order(staking.signatures(fault, strangers))),
        ("VerifierSetNotVerifier", elsewhere),  # signed for another chain
        ("VerifierSetStakeTooSmall", [a, c]),
    )
    for error, signatures in refusals:
        with refused(error):
            staking.send(staking.stakes.slash_raw(fault, signatures))
    with refused("VerifierSetNotVerifier"):  # signed for another proof
        staking.send(staking.stakes.slash_raw(staking.fault(b"q" * 32), [a, b]))
    assert staking.held() == (CAP, 0)
    staking.send(staking.stakes.slash_raw(fault, [a, b]))
    assert staking.held() == (0, 0)


def test_a_foreign_or_expired_fault_slashes_nobody(staking: Staking) -> None:
    staking.send(staking.stakes.stake(), CAP)
    with refused("VerifierSetWrongModel"):
        staking.slash(replace(staking.fault(), model=b"m" * 32))
    with refused("VerifierSetDeadlinePassed"):
        staking.slash(replace(staking.fault(), deadline=staking.now() - 1))
    assert staking.held() == (CAP, 0)
    staking.slash(staking.fault())


def test_the_events_tell_the_stake_at_every_block(staking: Staking) -> None:
    start, other = staking.deployment.block, staking.verifiers[2]
    expected: dict[int, int] = {}
    calls = (
        (staking.stakes.stake(), 1500, 1500),
        (staking.stakes.request_withdrawal(300), 0, 1200),
        (staking.stakes.stake(), 50, 1250),
        (slashing(staking, b"1"), 0, 250),
        (staking.stakes.request_withdrawal(250), 0, 0),
        (slashing(staking, b"2"), 0, 0),  # from the withdrawal alone
        (staking.stakes.stake(), 70, 70),
    )
    for call, value, stake in calls:
        expected[staking.send(call, value)["blockNumber"]] = stake
        send(staking.w3, other, staking.stakes.stake(), value=90)
        staking.chain.mine()
    last = 0
    for block in range(start, staking.w3.eth.block_number + 1):
        last = expected.get(block, last)
        assert staking.stakes.stake_at(staking.node, block) == last, block
        at_the_time = contract_at(staking.w3, "VerifierRegistry", staking.registry.address).functions
        assert at_the_time.nodeStakeOf(staking.node).call(block_identifier=block) == last, block
    assert staking.stakes.stake_at(other.address, staking.w3.eth.block_number) == 90 * len(calls)
    assert staking.stakes.stake_at(staking.holder.address, staking.w3.eth.block_number) == 0


def slashing(staking: Staking, proof: bytes) -> Any:
    fault = staking.fault(proof * 32)
    return staking.stakes.slash(fault, staking.signatures(fault, staking.verifiers[:2]))
