"""The relayer pays for accounts above a threshold, within a budget of gas an account and a day (J22).

A call's estimate of gas is taken from the budget when the call is queued. A day is of the relayer's clock; no rule of a
run asks it.

An account's part of a day follows from the votes that it had at one second, the same for everybody and every kind of
call: the day's beginning. Votes that are lent on from key to key count once. Accounts that had few votes then, or none,
share one part of the day.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, delete
from web3.contract.contract import ContractFunction

from contracts.amounts import VOTES, amount
from contracts.chain.connection import rejections
from contracts.ids import Address
from ledger.context import Ledger
from ledger.errors import BelowThreshold, RelayBudgetSpent
from ledger.relay_rules import PPM
from ledger.storage.tables import RelayDay, RelaySpending

DAY = 86_400
KEPT = 7
"""Days whose spending is remembered."""
EVERYBODY = ""
SMALL_HOLDERS = "small"
LEAST = 1_000_000
"""Gas a day of any account above the threshold, a ballot or two, while some is left of the small holders' part."""
SMALL = 10
"""One of so many parts of the day's gas is for all small holders together, beyond their own shares."""
SHARES = 10
"""An account's part of the day's gas, as a multiple of its share of the tokens, at most."""
CARRYING = 4
"""One of so many parts of the day's gas is reserved for passed proposals: strangers' calls do not use it up."""


@dataclass(frozen=True)
class Remaining:
    """Gas that is left today for an account, and for all together."""

    account: int
    everybody: int


@dataclass(frozen=True)
class VoteShare:
    """Millionths of the votes that an account had at the second by which a day is weighed."""

    ppm: int
    second: int


def require_least(ledger: Ledger, votes: int, timestamp: int, least_ppm: int) -> None:
    """Raises BelowThreshold if `votes` are too few of the tokens that existed at `timestamp`."""
    supply = ledger.chain.token.past_total_supply(timestamp)
    if votes * PPM < supply * least_ppm or votes == 0:
        raise BelowThreshold(
            f"the relayer pays for {least_ppm} millionths of the tokens and more; "
            f"{amount(votes, VOTES)} of {amount(supply, VOTES)} are less: "
            "send it with a wallet of your own"
        )


def share_of(ledger: Ledger, account: Address) -> VoteShare:
    """The share by which an account's calls of today are weighed."""
    token = ledger.chain.token
    second = _second(ledger)
    supply = token.past_total_supply(second)
    return VoteShare(token.past_votes(account, second) * PPM // supply if supply else 0, second)


def _second(ledger: Ledger) -> int:
    """The second by which today is weighed: the day's beginning, or before there were tokens that of the first call."""
    day = ledger.now() // DAY
    with ledger.store.read() as session:
        row = session.get(RelayDay, day)
    if row is not None:
        return row.second
    newest = int(ledger.chain.w3.eth.get_block("latest")["timestamp"]) - 1
    begins = min(day * DAY - 1, newest)
    return begins if ledger.chain.token.past_total_supply(begins) else newest


def gas_of(ledger: Ledger, call: ContractFunction) -> int:
    """Gas that a call would use now. Raises ContractRejected if the call would be refused."""
    with rejections():
        return int(call.estimate_gas({"from": ledger.operator.address}))


def take(ledger: Ledger, session: Session, account: Address, gas: int, share: VoteShare | None = None) -> None:
    """Take gas from an account's budget, in the transaction that queues the call.

    Without a share the gas is for a passed proposal. Raises RelayBudgetSpent.
    """
    remaining = left(ledger, session, account, share)
    if gas > remaining.account:
        raise RelayBudgetSpent(f"the relayer has {remaining.account} gas left for {account} today, this takes {gas}")
    if gas > remaining.everybody:
        raise RelayBudgetSpent(f"the relayer has {remaining.everybody} gas left today, this takes {gas}")
    day = ledger.now() // DAY
    session.exec(delete(RelaySpending).where(col(RelaySpending.day) < day - KEPT))
    session.exec(delete(RelayDay).where(col(RelayDay.day) < day - KEPT))
    if share is not None and share.ppm and session.get(RelayDay, day) is None:  # a share of no tokens fixes no second
        session.add(RelayDay(day=day, second=share.second))
    small = 0 if share is None else _beyond(ledger, session, account, gas, share)
    for name, spent in ((EVERYBODY, gas), (account, gas), (SMALL_HOLDERS, small)):
        row = session.get(RelaySpending, (day, name), with_for_update=True) or RelaySpending(day=day, account=name)
        row.gas += spent
        session.add(row)
    session.flush()


def left(ledger: Ledger, session: Session, account: Address, share: VoteShare | None = None) -> Remaining:
    """Gas that is left today for an account of this share, or without a share for a passed proposal."""
    day = ledger.now() // DAY
    rules = ledger.relay
    spent, everybody = (_spent(session, day, name) for name in (account, EVERYBODY))
    if share is None:
        return Remaining(max(0, rules.account_gas - spent), max(0, rules.daily_gas - everybody))
    own = _own(ledger, share)
    small = max(0, rules.daily_gas // SMALL - _spent(session, day, SMALL_HOLDERS))
    more = min(small, max(0, min(LEAST, rules.account_gas) - max(spent, own)))
    return Remaining(max(0, own - spent) + more, max(0, rules.daily_gas - rules.daily_gas // CARRYING - everybody))


def most_of(ledger: Ledger, share: VoteShare) -> int:
    """Gas that an account of this share has a day."""
    return max(_own(ledger, share), min(LEAST, ledger.relay.account_gas))


def _own(ledger: Ledger, share: VoteShare) -> int:
    return min(ledger.relay.account_gas, SHARES * ledger.relay.daily_gas * share.ppm // PPM)


def _beyond(ledger: Ledger, session: Session, account: Address, gas: int, share: VoteShare) -> int:
    """Gas of a call that comes out of the small holders' part."""
    spent = _spent(session, ledger.now() // DAY, account)
    own = _own(ledger, share)
    return max(0, spent + gas - own) - max(0, spent - own)


def _spent(session: Session, day: int, name: str) -> int:
    """Of an account, or under one of the two names that are none."""
    row = session.get(RelaySpending, (day, name))
    return row.gas if row is not None else 0
