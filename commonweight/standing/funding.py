"""The states of a funding round, and of an account's deposit in it.

unfunded ─▶ open ─▶ settling ─▶ released          open ─▶ failed, settling ─▶ failed (so many left), open ─▶ cancelled
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from commonweight.model.currency import CurrencyTerms
from commonweight.standing.sentence import Sentence, helper, told, until
from contracts.amounts import amount
from contracts.bindings.capital_pool import CapitalPool, PoolStatus
from contracts.bindings.token import ModelToken
from contracts.ids import Address, as_address


class FundingState(StrEnum):
    """The states of a round."""

    UNFUNDED = "unfunded"
    OPEN = "open"
    SETTLING = "settling"
    RELEASED = "released"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DepositState(StrEnum):
    """The states of a deposit: each allows its account another step."""

    NONE = "none"
    MAY_WITHDRAW = "may-withdraw"
    STAYS = "stays"
    MAY_CHOOSE = "may-choose"
    CLAIMABLE = "claimable"
    REFUNDABLE = "refundable"


ROUNDS: Mapping[StrEnum, Sentence] = {
    FundingState.UNFUNDED: Sentence(
        "The round is open until {deadline}. It sells nothing before the holders vote a budget for it.",
        "commonweight gov propose --help",
    ),
    FundingState.OPEN: Sentence(
        "The round is open until {deadline}. {deposited} are paid in, and it needs {soft}.",
        "commonweight fund deposit --help",
    ),
    FundingState.SETTLING: Sentence(
        "The round succeeded. Until {release} each buyer can claim its tokens, or leave with its money.",
        "commonweight fund claim --help",
    ),
    FundingState.RELEASED: Sentence(
        "The round succeeded. Since {release} the holders can spend its money, {spendable}.",
        "commonweight gov propose --help",
    ),
    FundingState.FAILED: Sentence(
        "The round failed with {kept} of the {soft} that it needs. Buyers without tokens are paid back.",
        "commonweight fund refund --help",
    ),
    FundingState.CANCELLED: Sentence(
        "The holders cancelled the round. All buyers are paid back.", "commonweight fund refund --help"
    ),
}
DEPOSITS: Mapping[StrEnum, Sentence] = {
    DepositState.NONE: Sentence(
        "The account has no deposit in the round: it paid nothing in, or took its tokens or money already.",
        "commonweight fund deposit --help",
    ),
    DepositState.MAY_WITHDRAW: Sentence(
        "The account paid in {deposit}, and can take the deposit back until {withdraw}.",
        "commonweight fund withdraw --help",
    ),
    DepositState.STAYS: Sentence(
        "The account paid in {deposit}. The deposit stays until {deadline}: the round is in its last quarter.",
        "commonweight fund show --help",
    ),
    DepositState.MAY_CHOOSE: Sentence(
        "The account can claim {tokens}, or leave with {deposit} until {release}.", "commonweight fund claim --help"
    ),
    DepositState.CLAIMABLE: Sentence(
        "The account can claim {tokens}. Anybody can send the claim.", "commonweight fund claim --help"
    ),
    DepositState.REFUNDABLE: Sentence(
        "The account gets {deposit} back. Anybody can send the refund.", "commonweight fund refund --help"
    ),
}


def round_state(status: PoolStatus, *, cancelled: bool, funded: bool, released: bool) -> FundingState:
    """The state of a round. `funded`: it has a budget to sell, or has sold all; `released`: no buyer may leave now."""
    if cancelled:
        return FundingState.CANCELLED
    if status is PoolStatus.FAILED:
        return FundingState.FAILED
    if status is PoolStatus.OPEN:
        return FundingState.OPEN if funded else FundingState.UNFUNDED
    return FundingState.RELEASED if released else FundingState.SETTLING


def deposit_state(state: FundingState, deposit: int, stays: bool = False) -> DepositState:
    """The state of a deposit, in units of the currency; `stays`: the round is in its last quarter."""
    if not deposit:
        return DepositState.NONE
    if state in (FundingState.OPEN, FundingState.UNFUNDED):
        return DepositState.STAYS if stays else DepositState.MAY_WITHDRAW
    if state is FundingState.SETTLING:
        return DepositState.MAY_CHOOSE
    return DepositState.CLAIMABLE if state is FundingState.RELEASED else DepositState.REFUNDABLE


@dataclass(frozen=True)
class Round:
    """A round as the chain has it: amounts in units of the currency, times in Unix seconds, price per `paid_units`."""

    pool: str
    state: FundingState
    money: CurrencyTerms
    symbol: str
    deposited: int
    refunded: int
    soft: int
    hard: int
    held: int
    spendable: int
    token_units: int
    paid_units: int
    withdraw_until: int
    deadline: int
    release_at: int
    now: int

    @classmethod
    def read(cls, pool: CapitalPool, symbol: str) -> Round:
        """The round by the chain; `symbol` is that of the sold token."""
        (soft, hard), (token_units, paid_units) = pool.caps(), pool.price()
        deposited = pool.deposited()
        now = int(pool.w3.eth.get_block("latest")["timestamp"])
        funded = deposited >= hard or ModelToken(pool.w3, as_address(pool.token())).budget_of(pool.address) > 0
        released = now >= pool.release_at()
        cancelled = pool.is_cancelled()
        state = round_state(pool.status(), cancelled=cancelled, funded=funded, released=released)
        return cls(
            pool.address,
            state,
            CurrencyTerms.of(pool.currency()),
            symbol,
            deposited,
            pool.refunded(),
            soft,
            hard,
            pool.held(),
            pool.spendable(),
            token_units,
            paid_units,
            pool.withdraw_until(),
            pool.deadline(),
            pool.release_at(),
            now,
        )

    @property
    def values(self) -> dict[str, object]:
        """The values of its sentences."""
        text = self.money.text
        return {
            "deposited": text(self.deposited),
            "soft": text(self.soft),
            "spendable": text(self.spendable),
            "withdraw": until(self.withdraw_until, self.now),
            "kept": text(self.deposited - self.refunded),
            "deadline": until(self.deadline, self.now),
            "release": until(self.release_at, self.now),
        }

    def lines(self) -> list[str]:
        """Lines for people."""
        text = self.money.text
        price = f"{text(self.paid_units)} buys {amount(self.token_units, self.symbol)}"
        return [
            f"{self.state}: {told(ROUNDS, self.state, self.values)}  {helper(ROUNDS, self.state, self.values)}",
            f"paid in    {text(self.deposited)}; the round needs {text(self.soft)} and takes at most {text(self.hard)}",
            f"price      {price}",
            f"currency   {self.money.address}",
            f"withdraw   until {until(self.withdraw_until, self.now)}; after that, deposits stay until the deadline",
            f"deadline   {until(self.deadline, self.now)}",
            f"leave      buyers can until {until(self.release_at, self.now)}; after that, holders can spend the money",
        ]

    def to_json(self) -> dict[str, object]:
        """One object of `--json`; amounts as text, in units of the currency, the price in 1e-18 tokens."""
        return {
            "about": "round",
            "pool": self.pool,
            "state": str(self.state),
            "currency": self.money.address,
            "symbol": self.money.symbol,
            "decimals": self.money.decimals,
            "deposited": str(self.deposited),
            "soft_cap": str(self.soft),
            "hard_cap": str(self.hard),
            "held": str(self.held),
            "spendable": str(self.spendable),
            "withdraw_until": self.withdraw_until,
            "deadline": self.deadline,
            "release_at": self.release_at,
            "price": {"token_units": str(self.token_units), "paid_units": str(self.paid_units)},
            "sentence": told(ROUNDS, self.state, self.values),
            "command": helper(ROUNDS, self.state, self.values),
        }


@dataclass(frozen=True)
class Deposit:
    """An account's deposit in a round, in units of the currency, and the 1e-18 tokens that it buys."""

    round: Round
    account: Address
    units: int
    tokens: int

    @classmethod
    def read(cls, pool: CapitalPool, funding_round: Round, account: Address) -> Deposit:
        """The deposit by the chain."""
        units = pool.deposit_of(account)
        return cls(funding_round, account, units, pool.tokens_for(units))

    @property
    def state(self) -> DepositState:
        """The state of the deposit."""
        return deposit_state(self.round.state, self.units, self.round.now >= self.round.withdraw_until)

    @property
    def _values(self) -> dict[str, object]:
        values = {"deposit": self.round.money.text(self.units), "tokens": amount(self.tokens, self.round.symbol)}
        return self.round.values | values

    def line(self) -> str:
        """A line for people."""
        return f"{told(DEPOSITS, self.state, self._values)}  {helper(DEPOSITS, self.state, self._values)}"

    def to_json(self) -> dict[str, object]:
        """One object of `--json`."""
        return {
            "about": "deposit",
            "pool": self.round.pool,
            "account": self.account,
            "state": str(self.state),
            "units": str(self.units),
            "tokens": str(self.tokens),
            "sentence": told(DEPOSITS, self.state, self._values),
            "command": helper(DEPOSITS, self.state, self._values),
        }
