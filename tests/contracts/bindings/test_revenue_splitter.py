"""What a model earns on a fresh chain: every holder of the window has its share, to the last fraction."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3

from contracts.bindings.currency import Currency
from contracts.bindings.revenue_splitter import FRACTION_BITS, RevenueSplitter
from contracts.bindings.token import ModelToken
from contracts.chain.connection import connect_devnet, contract_at, load_artifact, send
from contracts.devnet.chain import Devnet
from contracts.genesis.terms import BOUNDS
from contracts.ids import ZERO_ADDRESS, Address, as_address
from tests.contracts.bindings.deployed_model import refused
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

WINDOW = 20
LONGEST_SPAN = 2**24
REENTERED = keccak(text="ReentrancyGuardReentrantCall()")[:4]


class Earnings:
    """A token with holders, and a splitter; the owner mints and brings the money."""

    def __init__(
        self, kind: str = "PermitCurrency", cap: int = 10**27, money: int = 10**30, window: int = WINDOW
    ) -> None:
        self.window = window
        self.owner, self.ann, self.bob, self.eve = (Account.create() for _ in range(4))
        self.people = [self.ann, self.bob, self.eve]
        self.chain = Devnet([a.address for a in (self.owner, *self.people)])
        self.w3: Web3 = connect_devnet(self.chain)
        self.token = ModelToken(self.w3, self.create("ModelToken", "m", "M", cap, *[self.owner.address] * 2))
        self.splitter = RevenueSplitter(self.w3, self.create("RevenueSplitter", self.token.address, window))
        self.raw = deploy_currency(self.w3, self.owner, kind, money)
        self.money = Currency(self.w3, self.raw.address)
        self.act(self.owner, self.token.set_budget(self.owner.address, cap))
        self.act(self.owner, self.token.reserve(cap))
        self.act(self.owner, self.money.approve(self.splitter.address, 2**256 - 1))

    def create(self, contract: str, *arguments: Any) -> Address:
        artifact = load_artifact(contract)
        factory = self.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        return as_address(str(send(self.w3, self.owner, factory.constructor(*arguments))["contractAddress"]))

    def act(self, account: LocalAccount, call: Any) -> Any:
        return send(self.w3, account, call)

    def mint(self, account: str, amount: int) -> None:
        receipt = keccak(text=f"{account} {self.w3.eth.block_number}")
        self.act(self.owner, self.token.mint(receipt, account, amount))

    def settle(self) -> None:
        """What is held now is held in the whole window of the next distribution."""
        self.chain.increase_time(self.window + 1)
        self.chain.mine()

    def distribute(self, amount: int) -> int:
        self.act(self.owner, self.splitter.distribute(self.money.address, amount))
        return self.splitter.distributions()

    def pay(self, id_: int, account: LocalAccount) -> int:
        """What the account got; somebody else asks for it."""
        before, said = self.money.balance_of(account.address), self.splitter.releasable(id_, account.address)
        self.act(self.owner, self.splitter.release(id_, account.address))
        got = self.money.balance_of(account.address) - before
        assert got == said
        assert self.splitter.releasable(id_, account.address) == 0
        return got


@pytest.fixture
def earnings() -> Earnings:
    return Earnings()


@holds(
    "Neither a transfer nor a delegation moves a share of past revenue",
    by="contracts/solidity/RevenueSplitter.sol:release",
    against=Threat.LOST_FUNDS,
)
def test_a_later_transfer_or_a_delegation_moves_no_share(earnings: Earnings) -> None:
    ann, bob, eve = earnings.people
    earnings.mint(ann.address, 600)
    earnings.mint(bob.address, 400)
    earnings.act(bob, earnings.token.delegate(ann.address))  # lends its votes, keeps its share
    earnings.settle()
    until = earnings.splitter.distribution_of(earnings.distribute(1_000)).until
    earnings.act(bob, earnings.token.transfer(eve.address, 400))
    earnings.act(ann, earnings.token.transfer(eve.address, 100))
    earnings.settle()
    assert until < earnings.w3.eth.get_block("latest")["timestamp"]
    assert earnings.token.past_votes(ann.address, until) == 1_000
    assert earnings.token.past_balance(bob.address, until) == 400
    assert [earnings.pay(1, ann), earnings.pay(1, bob)] == [600, 400]
    for account in (ann, bob):
        with refused("RevenueSplitterAlreadyReleased"):
            earnings.act(eve, earnings.splitter.release(1, account.address))
    with refused("RevenueSplitterNoShare"):
        earnings.act(eve, earnings.splitter.release(1, eve.address))
    second = earnings.distribute(1_000)
    assert [earnings.pay(second, ann), earnings.pay(second, eve)] == [500, 500]
    with refused("RevenueSplitterNoShare"):
        earnings.act(eve, earnings.splitter.release(second, bob.address))
    assert (
        earnings.money.balance_of(earnings.splitter.address) == 0 == earnings.splitter.held_of(earnings.money.address)
    )


def test_a_purchase_before_a_distribution_earns_nothing_of_it(earnings: Earnings) -> None:
    ann, _, eve = earnings.people
    with refused("RevenueSplitterNobodyHeld"):
        earnings.distribute(5)
    earnings.mint(ann.address, 100)
    earnings.settle()
    earnings.mint(eve.address, 900)  # in the very second before the distribution
    id_ = earnings.distribute(50)
    with refused("RevenueSplitterNoShare"):
        earnings.act(eve, earnings.splitter.release(id_, eve.address))
    assert earnings.pay(id_, ann) == 50


@holds(
    "Tokens that are held for one second earn the revenue of one second of the window",
    by="contracts/solidity/BalanceHistory.sol:_tokenSeconds",
    against=Threat.LOST_FUNDS,
)
def test_a_second_of_holding_earns_a_second_of_the_window(earnings: Earnings) -> None:
    """Money that came earlier waits: who buys, and asks for it to be shared a second later, gets a second's worth."""
    ann, _, eve = earnings.people
    earnings.mint(ann.address, 100)
    earnings.settle()
    earnings.act(earnings.owner, earnings.money.transfer(earnings.splitter.address, 1_000_000))
    earnings.mint(eve.address, 900)
    bought = earnings.w3.eth.get_block("latest")["timestamp"]
    earnings.chain.increase_time(2)
    earnings.act(eve, earnings.splitter.distribute_surplus(earnings.money.address))
    until = earnings.splitter.distribution_of(1).until
    for_eve, all_ = 900 * (until - bought), 100 * WINDOW + 900 * (until - bought)
    assert 0 < until - bought <= 2
    assert earnings.splitter.distribution_of(1).token_seconds == all_
    assert earnings.pay(1, eve) == 1_000_000 * for_eve // all_
    assert earnings.pay(1, ann) == 1_000_000 * 100 * WINDOW // all_


def test_dust_is_paid_by_the_distributions_that_follow(earnings: Earnings) -> None:
    for account in earnings.people:
        earnings.mint(account.address, 7)
    earnings.settle()
    paid = {account.address: 0 for account in earnings.people}
    for _ in range(3):
        id_ = earnings.distribute(1)  # a third of a unit for each
        for account in earnings.people:
            paid[account.address] += earnings.pay(id_, account)
    assert list(paid.values()) == [1, 1, 1]  # three times a third, rounded up, is one and the smallest fraction
    assert earnings.splitter.held_of(earnings.money.address) == 0
    id_ = earnings.distribute(1)
    for account in earnings.people:
        paid[account.address] += earnings.pay(id_, account)
    assert list(paid.values()) == [1, 1, 1]
    assert earnings.splitter.held_of(earnings.money.address) == 1


@holds(
    "No unit of revenue is lost or doubled",
    by="contracts/solidity/RevenueSplitter.sol:release",
    against=Threat.LOST_FUNDS,
)
def test_no_unit_of_many_distributions_is_lost_or_doubled(earnings: Earnings) -> None:
    chance, splitter, money = random.Random(7), earnings.splitter, earnings.money.address
    for account, amount in zip(earnings.people, (3, 1_000_003, 10**21 + 7), strict=True):
        earnings.mint(account.address, amount)
    earnings.settle()
    total, ids = 0, []
    for round_ in range(5):
        amount = chance.choice([1, 2, 999_983, 10**18 + 1])
        ids.append(earnings.distribute(amount))
        total += amount
        giver, taker = chance.sample(earnings.people, 2)
        held = earnings.token.balance_of(giver.address)
        earnings.act(giver, earnings.token.transfer(taker.address, chance.randrange(held + 1)))
        if round_ % 2:
            earnings.mint(taker.address, chance.randrange(1, 10**20))
        earnings.settle()
    owed = {a.address: 0 for a in earnings.people}
    for id_ in ids:
        one = splitter.distribution_of(id_)
        for address in owed:
            held = earnings.token.token_seconds(address, one.until - WINDOW, one.until)
            owed[address] += -(-(held * one.amount << FRACTION_BITS) // one.token_seconds)
    for account in earnings.people:
        ends = {id_: splitter.distribution_of(id_).until for id_ in ids}
        spans = {id_: (end - WINDOW, end) for id_, end in ends.items()}
        shares = [id_ for id_ in ids if earnings.token.token_seconds(account.address, *spans[id_])]
        chance.shuffle(shares)  # the order of releases does not matter
        earnings.act(earnings.owner, splitter.release_many(shares, account.address))
        assert earnings.money.balance_of(account.address) == owed[account.address] >> FRACTION_BITS
    left = sum(splitter.fraction_of(money, address) for address in owed)
    paid = sum(earnings.money.balance_of(address) for address in owed)
    beyond = left - (total - paid << FRACTION_BITS)
    assert 0 <= beyond <= len(ids) * len(owed), "a release is rounded up by less than one fraction"
    assert splitter.held_of(money) == total - paid == earnings.money.balance_of(splitter.address) <= len(owed)


def test_shares_do_not_overflow_at_the_largest_supply_and_amount() -> None:
    supply, amount = 2**91 - 1, 2**128 - 1
    with refused("ModelTokenCapExceeded"):
        Earnings(cap=supply + 1)
    earnings = Earnings(cap=supply, money=2**130, window=LONGEST_SPAN)
    earnings.mint(earnings.ann.address, supply - 1)
    earnings.mint(earnings.bob.address, 1)
    earnings.settle()
    with refused("SafeCastOverflowedUintDowncast"):
        earnings.distribute(amount + 1)
    first, second = earnings.distribute(amount), earnings.distribute(amount)
    got = [earnings.pay(id_, earnings.ann) + earnings.pay(id_, earnings.bob) for id_ in (first, second)]
    assert 0 <= 2 * amount - sum(got) <= 2


def test_what_cannot_be_shared_is_refused(earnings: Earnings) -> None:
    earnings.mint(earnings.ann.address, 10)
    earnings.settle()
    with refused("RevenueSplitterNothingToDistribute"):
        earnings.distribute(0)
    with refused("ERC20InsufficientAllowance"):
        earnings.act(earnings.ann, earnings.splitter.distribute(earnings.money.address, 1))
    for id_ in (0, 1):
        with refused("RevenueSplitterDistributionUnknown"):
            earnings.act(earnings.ann, earnings.splitter.release(id_, earnings.ann.address))
    with refused("RevenueSplitterNothingToDistribute"):
        earnings.act(earnings.ann, earnings.splitter.distribute_surplus(earnings.money.address))
    for window in (0, LONGEST_SPAN + 1):
        with refused("RevenueSplitterWindowRefused"):
            earnings.create("RevenueSplitter", earnings.token.address, window)


def test_a_currency_that_takes_a_fee_is_refused() -> None:
    earnings = Earnings("FeeCurrency")
    earnings.mint(earnings.ann.address, 10)
    earnings.settle()
    with refused("RevenueSplitterAmountChanged"):
        earnings.distribute(100)
    assert earnings.splitter.distributions() == 0


def test_money_sent_without_a_word_is_shared_by_whoever_asks(earnings: Earnings) -> None:
    earnings.mint(earnings.ann.address, 10)
    earnings.settle()
    earnings.distribute(100)
    earnings.act(earnings.owner, earnings.money.transfer(earnings.splitter.address, 40))
    earnings.act(earnings.eve, earnings.splitter.distribute_surplus(earnings.money.address))
    assert earnings.splitter.distribution_of(2).amount == 40
    with refused("RevenueSplitterNothingToDistribute"):
        earnings.act(earnings.eve, earnings.splitter.distribute_surplus(earnings.money.address))
    assert earnings.splitter.waiting(earnings.ann.address, 0) == {earnings.money.address: [1, 2]}
    assert earnings.splitter.unreleased(earnings.ann.address, [1, 2]) == [1, 2]
    assert earnings.splitter.unreleased(earnings.bob.address, [1, 2]) == []
    earnings.act(earnings.eve, earnings.splitter.release_many([1, 2], earnings.ann.address))
    assert earnings.money.balance_of(earnings.ann.address) == 140
    assert earnings.splitter.waiting(earnings.ann.address, 0) == {}
    assert earnings.splitter.waiting(earnings.bob.address, 0) == {earnings.money.address: [1, 2]}


def test_tokens_that_the_splitter_itself_holds_share_in_nothing(earnings: Earnings) -> None:
    token, splitter = earnings.token, earnings.splitter
    earnings.mint(earnings.ann.address, 1_000)
    earnings.act(earnings.ann, token.transfer(splitter.address, 250))
    earnings.settle()
    assert earnings.pay(earnings.distribute(90), earnings.ann) == 90
    with refused("RevenueSplitterNoShare"):
        earnings.act(earnings.ann, splitter.release(1, splitter.address))
    earnings.act(earnings.ann, splitter.distribute_surplus(token.address))  # the token itself is a currency like others
    earnings.act(earnings.ann, splitter.release(2, earnings.ann.address))
    assert token.balance_of(earnings.ann.address) == 1_000


def test_a_currency_that_calls_back_gets_nothing_twice() -> None:
    earnings = Earnings("HostileCurrency")
    ann, bob, _ = earnings.people
    for account in (ann, bob):
        earnings.mint(account.address, 10)
    earnings.settle()
    splitter, money = earnings.splitter, earnings.money

    def provoke(call: Any, inner: Any) -> None:
        data = inner._encode_transaction_data()
        earnings.act(earnings.owner, earnings.raw.functions.arm(splitter.address, data))
        earnings.act(earnings.owner, call)
        answer = bytes(earnings.raw.functions.answer().call())
        assert (earnings.raw.functions.wentThrough().call(), answer) == (False, REENTERED)

    provoke(splitter.distribute(money.address, 100), splitter.distribute_surplus(money.address))
    provoke(splitter.release(1, ann.address), splitter.release(1, ann.address))
    assert (money.balance_of(ann.address), splitter.held_of(money.address)) == (50, 50)
    assert (splitter.distributions(), money.balance_of(splitter.address)) == (1, 50)


def test_a_pause_takes_no_share_even_at_the_longest_window() -> None:
    """Who was owed by an epoch that became final in the pause claims in the first second after it. In a window of 30
    days the pause would lie, and who held before would have a third in place of a tenth."""
    day, window = 86_400, BOUNDS["revenue_window"][1]
    earnings = Earnings(window=window)
    token = contract_at(earnings.w3, "ModelToken", earnings.token.address).functions
    earnings.mint(earnings.ann.address, 100)
    earnings.chain.increase_time(40 * day)
    earnings.act(earnings.owner, token.setMintingPaused(True))
    earnings.chain.increase_time(14 * day + 1)
    earnings.mint(earnings.bob.address, 900)
    earnings.chain.increase_time(7 * day - 60)
    with refused("RevenueSplitterSharedInPause"):
        earnings.distribute(10**6)
    earnings.chain.increase_time(120)
    earnings.chain.mine()
    id_ = earnings.distribute(10**6)
    assert (earnings.pay(id_, earnings.ann), earnings.pay(id_, earnings.bob)) == (100_000, 900_000)


def test_nobody_releases_a_share_to_the_zero_address(earnings: Earnings) -> None:
    """Before, its history was the supply's, and one call of a stranger's paid a whole distribution away in WETH."""
    earnings.mint(earnings.ann.address, 600)
    earnings.mint(earnings.bob.address, 400)
    earnings.settle()
    id_ = earnings.distribute(1_000)
    for nobody in (ZERO_ADDRESS, earnings.splitter.address):
        assert earnings.splitter.releasable(id_, nobody) == 0
        with refused("RevenueSplitterNoShare"):
            earnings.act(earnings.eve, earnings.splitter.release(id_, nobody))
    until = earnings.splitter.distribution_of(id_).until
    assert (
        earnings.token.token_seconds(ZERO_ADDRESS, until - WINDOW, until)
        == earnings.token.past_balance(ZERO_ADDRESS, until)
        == 0
    )
    assert earnings.token.supply_seconds(until - WINDOW, until) == 1_000 * WINDOW
    for holder, share in ((earnings.ann, 600), (earnings.bob, 400)):
        earnings.act(earnings.eve, earnings.splitter.release(id_, holder.address))
        assert earnings.money.balance_of(holder.address) == share


@holds(
    "Past balances are recorded, whoever holds the votes",
    by="contracts/solidity/ModelToken.sol:getPastBalance",
    against=Threat.LOST_FUNDS,
)
def test_past_balances_add_up_to_the_past_supply(earnings: Earnings) -> None:
    token, (ann, bob, eve) = earnings.token, earnings.people
    history: list[tuple[int, list[int]]] = []

    def remember() -> None:
        moment = earnings.w3.eth.get_block("latest")["timestamp"]
        history.append((moment, [token.balance_of(a.address) for a in earnings.people]))
        earnings.chain.increase_time(1)
        earnings.chain.mine()

    for step in (
        (earnings.owner, token.mint(b"1" * 32, ann.address, 50)),
        (earnings.owner, token.mint(b"2" * 32, bob.address, 30)),
        (ann, token.transfer(ann.address, 20)),
        (ann, token.transfer(bob.address, 0)),
        (ann, token.transfer(eve.address, 50)),
        (eve, token.delegate(bob.address)),
        (bob, token.transfer(ann.address, 30)),
        (eve, token.transfer(ann.address, 1)),
    ):
        earnings.act(*step)
        remember()
    for moment, balances in history:
        assert [token.past_balance(a.address, moment) for a in earnings.people] == balances
        assert token.past_total_supply(moment) == sum(balances)
    assert history[-1][1] == [31, 0, 49]
    assert token.past_balance(ann.address, history[0][0] - 1) == 0
    with refused("ERC5805FutureLookup"):
        token.past_balance(ann.address, earnings.w3.eth.get_block("latest")["timestamp"] + 60)


@holds("No receipt is spent without a budget", by="contracts/solidity/ModelToken.sol:mint", against=Threat.LOST_FUNDS)
def test_nobody_spends_a_receipt_without_a_budget(earnings: Earnings) -> None:
    with refused("ModelTokenReserveExceeded"):
        earnings.act(earnings.eve, earnings.token.mint(b"r" * 32, earnings.eve.address, 0))
    earnings.act(earnings.owner, earnings.token.mint(b"r" * 32, earnings.ann.address, 5))
    minted = contract_at(earnings.w3, "ModelToken", earnings.token.address).events.Minted.get_logs(from_block=0)
    assert [dict(event["args"]) for event in minted] == [
        {"receipt": b"r" * 32, "to": earnings.ann.address, "minter": earnings.owner.address, "amount": 5}
    ]
