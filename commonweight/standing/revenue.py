"""The states of an account's shares in a model's revenue: due, below a unit, or paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from commonweight.model.currency import CurrencyTerms
from commonweight.standing.sentence import Sentence, helper, told
from contracts.bindings.currency import Currency
from contracts.bindings.revenue_splitter import RevenueSplitter
from contracts.ids import Address, as_address

MOST_NAMED = 20
"""Currencies whose names are asked for."""


class ShareState(StrEnum):
    """The states of a share in one distribution."""

    DUE = "due"
    BELOW_A_UNIT = "below-a-unit"
    RELEASED = "released"


SHARES: Mapping[StrEnum, Sentence] = {
    ShareState.DUE: Sentence(
        "Distribution {id} owes the account {money}.",
        "commonweight revenue release {account} --currency {currency} --keystore KEY --deployment FILE",
    ),
    ShareState.BELOW_A_UNIT: Sentence(
        "The share in distribution {id} is below one unit and kept for the next share, or the account held nothing.",
        "commonweight wallet balance {account}",
    ),
    ShareState.RELEASED: Sentence(
        "Distribution {id} has paid the account {money}.", "commonweight revenue distribute --help"
    ),
}


def share_state(*, is_released: bool, due: int) -> ShareState:
    """The state of a share in one distribution."""
    if is_released:
        return ShareState.RELEASED
    return ShareState.DUE if due else ShareState.BELOW_A_UNIT


@dataclass(frozen=True)
class RevenueShare:
    """An account's share of one distribution: `units` of the currency that are due or were paid."""

    account: Address
    id: int
    money: CurrencyTerms
    state: ShareState
    units: int

    @property
    def _values(self) -> dict[str, object]:
        values = {"id": self.id, "account": self.account, "currency": self.money.address}
        return values | {"money": self.money.text(self.units)}

    @property
    def sentence(self) -> str:
        """The sentence of its state."""
        return told(SHARES, self.state, self._values)

    @property
    def command(self) -> str:
        """The command that moves it on."""
        return helper(SHARES, self.state, self._values)

    def to_json(self) -> dict[str, object]:
        """One object of `--json`."""
        return {
            "about": "share",
            "distribution": self.id,
            "currency": self.money.address,
            "symbol": self.money.symbol,
            "decimals": self.money.decimals,
            "state": str(self.state),
            "units": str(self.units),
            "sentence": self.sentence,
            "command": self.command,
        }


def read_shares(splitter: RevenueSplitter, account: Address, first_block: int) -> list[RevenueShare]:
    """Shares in every distribution since a block. Each due share is that of a distribution that is released first."""
    shared = splitter.shared(first_block)
    paid = splitter.released_to(account, first_block)
    waiting = [id_ for id_, _ in shared if id_ not in paid]
    due = dict(zip(waiting, splitter.due_of(account, waiting), strict=True))
    monies = _monies(splitter, list(dict.fromkeys(currency for _, currency in shared)))
    return [
        RevenueShare(
            account,
            id_,
            monies[currency],
            share_state(is_released=id_ in paid, due=due.get(id_, 0)),
            paid.get(id_, due.get(id_, 0)),
        )
        for id_, currency in shared
    ]


def _monies(splitter: RevenueSplitter, addresses: Sequence[str]) -> dict[str, CurrencyTerms]:
    """The first currencies by their own names, the rest in units: anybody may make a thousand of them."""
    terms = {
        address: CurrencyTerms.of(Currency(splitter.w3, as_address(address))) for address in addresses[:MOST_NAMED]
    }
    return {address: terms.get(address, CurrencyTerms(as_address(address), "units", 0)) for address in addresses}


def lines_by_currency(shares: Sequence[RevenueShare]) -> list[str]:
    """For people: a line for each currency and state. Anybody may distribute anything, so that ids are counted."""
    lines = []
    for money in dict.fromkeys(share.money for share in shares):
        currency_shares = [share for share in shares if share.money == money]
        for state in ShareState:
            state_shares = [share for share in currency_shares if share.state is state]
            if state_shares:
                lines.append(_line(money, state, state_shares))
    return lines


def _line(money: CurrencyTerms, state: ShareState, shares: Sequence[RevenueShare]) -> str:
    ids = f"distribution {shares[0].id}" if len(shares) == 1 else f"{len(shares)} distributions to {shares[-1].id}"
    money_text = "" if state is ShareState.BELOW_A_UNIT else f" {money.text(sum(share.units for share in shares))}"
    return f"{state}{money_text} of {ids}, in {money.address}  {shares[0].command}"
