"""A funding round on a fresh chain: who pays, who is paid back, who gets tokens, and what nobody can take."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract

from contracts.bindings.capital_pool import CapitalPool, PoolStatus
from contracts.bindings.currency import Currency
from contracts.bindings.token import ModelToken
from contracts.chain.connection import connect_devnet, load_artifact, send
from contracts.devnet.chain import Devnet
from contracts.ids import Address, as_address
from tests.contracts.bindings.deployed_model import refused
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

SOFT, HARD, TIME, SETTLEMENT = 1_000, 2_000, 100, 50
PRICE = (3, 2)
"""Three token units for two units of the currency."""
LATE = 2**40
REENTERED = keccak(text="ReentrancyGuardReentrantCall()")[:4]


class Round:
    """A token, a currency and a pool; `treasury` stands for the timelock, `stranger` holds no currency."""

    def __init__(self, kind: str = "PermitCurrency", price: tuple[int, int] = PRICE) -> None:
        self.owner, self.ann, self.bob, self.treasury, self.stranger = (Account.create() for _ in range(5))
        everybody = [self.owner, self.ann, self.bob, self.treasury, self.stranger]
        self.chain = Devnet([a.address for a in everybody])
        self.w3: Web3 = connect_devnet(self.chain)
        self.token = ModelToken(self.w3, self.create("ModelToken", "m", "M", 10_000, *[self.owner.address] * 2))
        self.raw: Contract = deploy_currency(self.w3, self.owner, kind, 100_000)
        self.money = Currency(self.w3, self.raw.address)
        terms = (self.money.address, SOFT, HARD, self.now() + TIME, *price, SETTLEMENT)
        self.pool = CapitalPool(self.w3, self.create("CapitalPool", self.token.address, self.treasury.address, terms))
        self.act(self.owner, self.token.set_budget(self.pool.address, self.pool.tokens_for(HARD)))
        for payer in (self.ann, self.bob):
            self.act(self.owner, self.money.transfer(payer.address, 10_000))

    def create(self, contract: str, *arguments: Any) -> Address:
        artifact = load_artifact(contract)
        factory = self.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        return as_address(str(send(self.w3, self.owner, factory.constructor(*arguments))["contractAddress"]))

    def act(self, account: LocalAccount, call: Any) -> Any:
        return send(self.w3, account, call)

    def now(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def end(self) -> None:
        self.chain.increase_time(TIME + 1)
        self.chain.mine()

    def pay(self, amount: int) -> None:
        """The holders pay the treasury's account itself."""
        self.act(self.treasury, self.pool.pay(self.treasury.address, amount))

    def release(self) -> None:
        """The money may go."""
        self.chain.increase_time(SETTLEMENT + 1)
        self.chain.mine()

    def deposit(self, account: LocalAccount, amount: int) -> None:
        self.act(account, self.money.approve(self.pool.address, amount))
        self.act(account, self.pool.deposit(amount))
        self.balanced()

    def balanced(self) -> None:
        """What the pool has is deposits - refunds - payments."""
        pool = self.pool
        assert self.money.balance_of(pool.address) == pool.deposited() - pool.refunded() - pool.paid() == pool.held()


@pytest.fixture
def funding() -> Round:
    return Round()


@holds(
    "A pool holds its deposits less refunds and payments",
    by="contracts/solidity/CapitalPool.sol:held",
    against=Threat.LOST_FUNDS,
)
def test_a_funded_round_mints_once_each_and_holders_pay_it_out(funding: Round) -> None:
    pool, ann, bob, treasury = funding.pool, funding.ann, funding.bob, funding.treasury
    funding.deposit(ann, 333)
    funding.deposit(ann, 1)  # 334 are priced together: one by one they would be a token unit less
    funding.act(bob, pool.deposit_with_permit(701, LATE, pool.sign_permit(bob, 701, LATE)))
    funding.balanced()
    for account, call in ((ann, pool.claim(ann.address)), (ann, pool.refund(ann.address))):
        with refused("CapitalPoolWrongStatus"):
            funding.act(account, call)
    with refused("CapitalPoolBuyersMayLeave"):
        funding.pay(1)
    funding.end()
    assert pool.status() is PoolStatus.SUCCEEDED
    with refused("CapitalPoolAccountMustClaim"):  # it may rather leave
        funding.act(funding.stranger, pool.claim(ann.address))
    funding.act(ann, pool.claim(ann.address))
    with refused("CapitalPoolBuyersMayLeave"):
        funding.pay(1)
    funding.release()
    for account in (funding.stranger, ann):
        with refused("AccessControlUnauthorizedAccount"):
            funding.act(account, pool.pay(account.address, 1))
    funding.pay(0)
    funding.pay(1_000)
    funding.balanced()
    funding.pay(36)  # as far as it is there
    assert (funding.money.balance_of(treasury.address), pool.held()) == (1_035, 0)
    funding.act(funding.stranger, pool.claim(bob.address))
    assert (funding.token.balance_of(ann.address), funding.token.balance_of(bob.address)) == (501, 1_051)
    assert funding.token.votes(bob.address) == 1_051
    assert (funding.token.budget_of(pool.address), funding.token.reserved_of(pool.address)) == (3_000 - 501 - 1_051, 0)
    for call, error in (
        (pool.claim(ann.address), "CapitalPoolNothingDeposited"),
        (pool.claim(funding.stranger.address), "CapitalPoolNothingDeposited"),
        (pool.refund(ann.address), "CapitalPoolWrongStatus"),
        (pool.deposit(1), "CapitalPoolWrongStatus"),
    ):
        with refused(error):
            funding.act(ann, call)
    funding.pay(1)
    assert funding.money.balance_of(treasury.address) == 1_035
    assert funding.token.total_supply() == 501 + 1_051


@holds(
    "A failed funding round refunds every deposit once",
    by="contracts/solidity/CapitalPool.sol:refund",
    against=Threat.LOST_FUNDS,
)
def test_a_round_below_its_soft_cap_pays_everybody_back_once(funding: Round) -> None:
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.deposit(ann, SOFT - 10)
    funding.deposit(bob, 9)
    funding.end()
    assert pool.status() is PoolStatus.FAILED
    for call in (pool.claim(bob.address), pool.deposit(1)):
        with refused("CapitalPoolWrongStatus"):
            funding.act(bob, call)
    for payer in (ann, bob):
        funding.act(funding.stranger, pool.refund(payer.address))
        funding.balanced()
        with refused("CapitalPoolNothingDeposited"):
            funding.act(funding.stranger, pool.refund(payer.address))
        assert funding.money.balance_of(payer.address) == 10_000
    assert (pool.held(), pool.refunded(), funding.token.total_supply()) == (0, SOFT - 1, 0)


def test_a_deposit_beyond_the_hard_cap_is_cut_and_ends_nothing(funding: Round) -> None:
    """Borrowed money that fills the round leaves again, and the others are where they were."""
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.deposit(ann, HARD - 5)
    funding.deposit(bob, 900)
    assert (pool.deposited(), pool.deposit_of(bob.address)) == (HARD, 5)
    assert funding.money.balance_of(bob.address) == 10_000 - 5
    assert pool.status() is PoolStatus.OPEN
    with refused("CapitalPoolDepositTooSmall"):
        funding.act(bob, pool.deposit(1))
    with refused("CapitalPoolWrongStatus"):
        funding.act(ann, pool.leave())
    funding.act(ann, pool.withdraw())
    funding.deposit(ann, SOFT)
    funding.end()
    for payer in (ann, bob):
        funding.act(payer, pool.claim(payer.address))
    assert funding.token.total_supply() == pool.tokens_for(SOFT) + pool.tokens_for(5) == 1_500 + 7


def test_a_deposit_that_buys_nothing_is_not_taken() -> None:
    funding = Round(price=(1, 2))
    for amount in (0, 1):
        with refused("CapitalPoolDepositTooSmall"):
            funding.deposit(funding.ann, amount)
    funding.deposit(funding.ann, 2)
    funding.deposit(funding.ann, 1)  # together with the first it buys something
    assert funding.pool.tokens_for(funding.pool.deposit_of(funding.ann.address)) == 1


@holds(
    "A permit that another party has used does not block a deposit",
    by="contracts/solidity/CapitalPool.sol:depositWithPermit",
    against=Threat.LOST_FUNDS,
)
def test_a_permit_that_was_used_first_does_not_stop_the_deposit(funding: Round) -> None:
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    permit = pool.sign_permit(ann, 300, LATE)
    funding.act(funding.stranger, funding.money.permit(ann.address, pool.address, 300, LATE, permit))
    funding.act(ann, pool.deposit_with_permit(300, LATE, permit))
    assert pool.deposit_of(ann.address) == 300
    for payer, amount, signature in (
        (ann, 300, permit),  # spent
        (bob, 300, permit),  # another's
        (bob, 301, pool.sign_permit(bob, 300, LATE)),  # for another amount
    ):
        with refused("ERC20InsufficientAllowance"):
            funding.act(payer, pool.deposit_with_permit(amount, LATE, signature))
    with refused("ERC20InsufficientAllowance"):
        funding.act(bob, pool.deposit_with_permit(300, 1, pool.sign_permit(bob, 300, 1)))  # too late
    funding.balanced()
    assert pool.deposited() == 300


def test_a_currency_without_permit_is_taken_on_its_allowance() -> None:
    funding = Round("HostileCurrency")
    funding.act(funding.ann, funding.money.approve(funding.pool.address, 7))
    funding.act(funding.ann, funding.pool.deposit_with_permit(7, LATE, (27, b"r" * 32, b"s" * 32)))
    assert funding.pool.deposit_of(funding.ann.address) == 7


def test_a_currency_that_takes_a_fee_is_refused() -> None:
    funding = Round("FeeCurrency")
    with refused("CapitalPoolAmountChanged"):
        funding.deposit(funding.ann, 500)
    assert (funding.pool.deposited(), funding.pool.deposit_of(funding.ann.address)) == (0, 0)


def test_a_balance_that_shrank_takes_no_more_deposits() -> None:
    funding = Round("HostileCurrency")
    funding.deposit(funding.ann, 500)
    funding.act(funding.stranger, funding.raw.functions.shrink(funding.pool.address, 1))
    with refused("CapitalPoolBalanceMissing"):
        funding.deposit(funding.bob, 500)


@holds(
    "A currency with callbacks cannot be drained twice",
    by="contracts/solidity/CapitalPool.sol:refund",
    against=Threat.LOST_FUNDS,
)
@pytest.mark.parametrize("outcome", ["refund", "pay"])
def test_a_currency_that_calls_back_takes_nothing_twice(outcome: str) -> None:
    funding = Round("HostileCurrency")
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.act(funding.owner, funding.money.transfer(funding.raw.address, 5_000))
    funding.act(funding.owner, funding.raw.functions.approveFor(pool.address, 5_000))

    def provoke(account: LocalAccount, call: Any, inner: Any) -> None:
        data = inner._encode_transaction_data()
        funding.act(funding.owner, funding.raw.functions.arm(pool.address, data))
        funding.act(account, call)
        answer = funding.raw.functions.answer().call()
        assert (funding.raw.functions.wentThrough().call(), bytes(answer)) == (False, REENTERED)
        funding.balanced()

    funding.act(ann, funding.money.approve(pool.address, 400))
    provoke(ann, pool.deposit(400), pool.deposit(300))
    assert pool.deposited() == 400
    funding.deposit(bob, 500 if outcome == "refund" else 600)
    funding.end()
    if outcome == "refund":
        provoke(bob, pool.refund(ann.address), pool.refund(bob.address))
        assert (pool.held(), funding.money.balance_of(ann.address)) == (500, 10_000)
    else:
        funding.release()
        inner = pool.pay(bob.address, 1)
        provoke(funding.treasury, pool.pay(funding.treasury.address, 1_000), inner)
        assert (pool.held(), funding.money.balance_of(funding.treasury.address)) == (0, 1_000)


def test_only_the_treasury_cancels_and_then_all_are_paid_back(funding: Round) -> None:
    funding.deposit(funding.ann, SOFT)
    for account in (funding.owner, funding.ann):
        with refused("AccessControlUnauthorizedAccount"):
            funding.act(account, funding.pool.cancel())
    funding.act(funding.treasury, funding.pool.cancel())
    assert funding.pool.status() is PoolStatus.FAILED
    with refused("CapitalPoolWrongStatus"):
        funding.deposit(funding.bob, 10)
    funding.act(funding.stranger, funding.pool.refund(funding.ann.address))
    assert funding.money.balance_of(funding.ann.address) == 10_000
    with refused("CapitalPoolWrongStatus"):
        funding.act(funding.treasury, funding.pool.cancel())


@holds(
    "The tokens of a deposit are reserved at once, and no vote takes them back",
    by="contracts/solidity/CapitalPool.sol:_deposit",
    against=Threat.LOST_FUNDS,
)
def test_no_vote_takes_what_was_sold(funding: Round) -> None:
    """Its budget is nothing after the deposits: what they buy is reserved."""
    pool, token, owner = funding.pool, funding.token, funding.owner
    funding.deposit(funding.ann, 600)
    funding.deposit(funding.bob, 401)
    assert token.reserved_of(pool.address) == 900 + 601
    funding.act(owner, token.set_budget(pool.address, 0))
    with refused("ModelTokenBudgetExceeded"):
        funding.deposit(funding.bob, 10)
    funding.end()
    funding.release()
    funding.pay(1_001)
    for payer in (funding.ann, funding.bob):
        funding.act(owner, pool.claim(payer.address))
    assert (token.balance_of(funding.ann.address), token.balance_of(funding.bob.address)) == (900, 601)


def test_a_pause_of_claims_ends_by_itself(funding: Round) -> None:
    pool, token, owner = funding.pool, funding.token, funding.owner
    funding.deposit(funding.ann, 1_001)
    funding.end()
    funding.act(owner, token.set_minting_paused(True))
    with refused("ModelTokenMintingPaused"):
        funding.act(funding.ann, pool.claim(funding.ann.address))
    funding.chain.increase_time(14 * 86_400)
    funding.chain.mine()
    with refused("ModelTokenPauseTooSoon"):
        funding.act(owner, token.set_minting_paused(True))
    funding.act(owner, pool.claim(funding.ann.address))
    assert token.balance_of(funding.ann.address) == pool.tokens_for(1_001)


@holds(
    "No money of a funding round moves while its buyers may leave",
    by="contracts/solidity/CapitalPool.sol:pay",
    against=Threat.LOST_FUNDS,
)
def test_who_may_leave_when(funding: Round) -> None:
    """While the round is open, and until its money is released, who took no tokens: those have votes, and stay."""
    pool, token, ann, bob = funding.pool, funding.token, funding.ann, funding.bob
    funding.deposit(ann, 900)
    with refused("CapitalPoolWrongStatus"):
        funding.act(ann, pool.leave())
    funding.act(ann, pool.withdraw())
    funding.balanced()
    assert (pool.deposited(), token.reserved_of(pool.address), funding.money.balance_of(ann.address)) == (0, 0, 10_000)
    for payer, amount in ((ann, 600), (bob, 1_200)):
        funding.deposit(payer, amount)
    funding.end()
    with refused("CapitalPoolWrongStatus"):
        funding.act(ann, pool.withdraw())
    funding.act(ann, pool.leave())
    funding.balanced()
    assert (token.balance_of(ann.address), funding.money.balance_of(ann.address)) == (0, 10_000)
    with refused("CapitalPoolNothingDeposited"):
        funding.act(ann, pool.leave())
    funding.act(bob, pool.claim(bob.address))
    with refused("CapitalPoolNothingDeposited"):  # votes are for no rent
        funding.act(bob, pool.leave())
    funding.release()
    funding.pay(1_200)
    assert funding.money.balance_of(funding.treasury.address) == 1_200


def test_capital_of_a_block_makes_no_round_succeed(funding: Round) -> None:
    """ann pays 100 of 1,000. Two accounts of one maker bring 900, one takes a few tokens, the other leaves."""
    pool, ann, bob, eve = funding.pool, funding.ann, funding.bob, funding.owner
    funding.deposit(ann, 100)
    funding.deposit(bob, SOFT - 102)
    funding.deposit(eve, 2)
    funding.end()
    funding.act(eve, pool.claim(eve.address))
    funding.act(bob, pool.leave())
    assert (pool.status(), pool.held(), pool.spendable()) == (PoolStatus.FAILED, 102, 2)
    with refused("CapitalPoolWrongStatus"):  # who waits has its money, and no tokens for which there is none
        funding.act(ann, pool.claim(ann.address))
    funding.release()
    funding.pay(3)
    assert pool.held() == 100
    funding.chain.increase_time(10 * 365 * 86_400)
    funding.chain.mine()
    funding.act(funding.stranger, pool.refund(ann.address))
    funding.balanced()
    assert (pool.held(), funding.money.balance_of(ann.address), funding.token.total_supply()) == (0, 10_000, 3)


def test_who_fills_a_round_does_not_empty_it_at_its_end(funding: Round) -> None:
    """What lies there keeps others out: in the last quarter it stays, and before it they have a quarter to come."""
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.deposit(bob, HARD)
    with refused("CapitalPoolDepositTooSmall"):
        funding.deposit(ann, 1_500)
    funding.chain.increase_time(pool.withdraw_until() - funding.now())
    funding.chain.mine()
    with refused("CapitalPoolDepositsStay"):
        funding.act(bob, pool.withdraw())
    funding.chain.increase_time(pool.deadline() - funding.now())
    funding.chain.mine()
    assert pool.status() is PoolStatus.SUCCEEDED
    funding.act(bob, pool.leave())
    assert (pool.status(), funding.money.balance_of(bob.address)) == (PoolStatus.FAILED, 10_000)


def test_nobody_leaves_when_the_money_is_released(funding: Round) -> None:
    pool, bob = funding.pool, funding.bob
    funding.deposit(bob, 1_200)
    funding.end()
    funding.release()
    with refused("CapitalPoolMoneyReleased"):
        funding.act(bob, pool.leave())
    funding.act(funding.stranger, pool.claim(bob.address))
    assert funding.token.balance_of(bob.address) == 1_800


def test_where_too_many_leave_the_others_have_their_money_too(funding: Round) -> None:
    """Nobody would have bought for less than the soft cap."""
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.deposit(ann, 600)
    funding.deposit(bob, 600)
    funding.end()
    funding.act(ann, pool.leave())
    assert pool.status() is PoolStatus.FAILED
    funding.release()
    funding.pay(1)  # nobody took tokens, so that nothing is the holders'
    assert pool.held() == 600
    funding.act(funding.stranger, pool.refund(bob.address))
    funding.balanced()
    assert (pool.held(), funding.money.balance_of(bob.address)) == (0, 10_000)


def test_claimed_tokens_stay_funded_when_others_leave(funding: Round) -> None:
    """Else tokens would stand for money that nobody can have."""
    pool, ann, bob = funding.pool, funding.ann, funding.bob
    funding.deposit(ann, 600)
    funding.deposit(bob, 600)
    funding.end()
    funding.act(bob, pool.claim(bob.address))
    funding.act(ann, pool.leave())
    assert pool.status() is PoolStatus.FAILED
    funding.release()
    funding.pay(601)
    assert (pool.held(), funding.token.balance_of(bob.address)) == (0, 900)


def test_nobody_claims_for_a_contract_that_may_rather_leave(funding: Round) -> None:
    """It may be unable to move tokens."""
    pool, raw = funding.pool, funding.raw.address
    funding.act(funding.owner, funding.money.transfer(raw, 0))
    funding.deposit(funding.ann, 1_200)
    funding.end()
    funding.release()
    with refused("CapitalPoolAccountMustClaim"):
        funding.act(funding.stranger, pool.claim(raw))


@holds(
    "Supply and budgets together stay within the cap, so no minter can use another's budget",
    by="contracts/solidity/ModelToken.sol:setBudget",
    against=Threat.LOST_FUNDS,
)
def test_no_other_minter_can_take_what_depositors_bought(funding: Round) -> None:
    pool, token, owner = funding.pool, funding.token, funding.owner
    funding.deposit(funding.ann, 1_200)
    funding.end()
    funding.release()
    funding.pay(1_200)
    left = 10_000 - pool.tokens_for(HARD)
    with refused("ModelTokenCapExceeded"):
        funding.act(owner, token.set_budget(owner.address, 10_001))
    funding.act(owner, token.set_budget(owner.address, left + 1))
    assert token.budget_of(owner.address) == left, "what the cap leaves"
    funding.act(owner, token.reserve(left))
    funding.act(owner, token.mint(b"r" * 32, owner.address, left))
    assert token.allotted() == 10_000
    funding.act(funding.stranger, pool.claim(funding.ann.address))
    assert token.balance_of(funding.ann.address) == 1_800


def test_only_money_that_came_without_a_deposit_is_surplus(funding: Round) -> None:
    pool, money = funding.pool, funding.money
    funding.deposit(funding.ann, 600)
    funding.act(funding.bob, pool.recover_surplus(money.address))
    funding.balanced()
    funding.act(funding.bob, money.transfer(pool.address, 30))
    assert pool.deposited() == 600
    funding.act(funding.bob, pool.recover_surplus(money.address))
    assert money.balance_of(funding.treasury.address) == 30
    funding.balanced()
    other = Currency(funding.w3, deploy_currency(funding.w3, funding.owner, "PermitCurrency", 50).address)
    funding.act(funding.owner, other.transfer(pool.address, 50))
    funding.act(funding.bob, pool.recover_surplus(other.address))
    assert other.balance_of(funding.treasury.address) == 50


def test_terms_that_cannot_work_are_refused(funding: Round) -> None:
    good = [funding.money.address, SOFT, HARD, funding.now() + 1_000, 3, 2, SETTLEMENT]
    for place, value in (
        (0, funding.stranger.address),  # no contract
        (0, funding.token.address),  # the token itself
        (1, 0),
        (1, HARD + 1),
        (3, 1),  # over already
        (4, 0),
        (5, 0),
        (5, 3 * SOFT + 1),  # the soft cap would buy nothing
        (6, 0),  # buyers would never be asked
    ):
        terms = tuple(value if n == place else one for n, one in enumerate(good))
        with refused("CapitalPoolTermsRefused"):
            funding.create("CapitalPool", funding.token.address, funding.treasury.address, terms)
    dust = (*good[:1], HARD - 1, *good[2:4], 1, 3, SETTLEMENT)  # what is left between the caps buys nobody anything
    with refused("CapitalPoolTermsRefused"):
        funding.create("CapitalPool", funding.token.address, funding.treasury.address, dust)
    funding.create("CapitalPool", funding.token.address, funding.treasury.address, tuple(good))
