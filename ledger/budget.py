"""What the relayer pays for: those above a threshold, within a budget of gas an account and a day (J22).

Gas is taken on when a call is queued, by its estimate. A day is of the relayer's clock; no rule of a run asks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, delete
from web3.contract.contract import ContractFunction

from contracts.chain import rejections
from ledger.errors import BelowThreshold, RelayBudgetSpent
from ledger.relay_rules import PPM
from ledger.service import Ledger
from ledger.tables import RelaySpending

DAY = 86_400
KEPT = 7
"""Days whose spending is remembered."""
EVERYBODY = ""
LEAST = 1_000_000
"""Gas that any account above the threshold has a day: a ballot or two."""
SHARES = 10
"""How many times its share of the tokens an account may have of the day's gas."""
CARRYING = 4
"""One part of so many of the day's gas is kept for what passed: strangers' calls do not use it up."""


@dataclass(frozen=True)
class Left:
    """Gas that is left today for an account, and for all together."""

    account: int
    everybody: int


def require_share(ledger: Ledger, votes: int, timestamp: int, least_ppm: int) -> int:
    """The millionths that `votes` are of the tokens that stood at `timestamp`. Raises BelowThreshold for too few."""
    supply = ledger.chain.token.past_total_supply(timestamp)
    if votes * PPM < supply * least_ppm or votes == 0:
        raise BelowThreshold(
            f"the relayer pays for {least_ppm} millionths of the tokens and more; {votes} of {supply} units are less: "
            "send it with a wallet of your own"
        )
    return votes * PPM // supply


def gas_of(ledger: Ledger, call: ContractFunction) -> int:
    """What a call would use now. Raises ContractRejected if it would be refused."""
    with rejections():
        return int(call.estimate_gas({"from": ledger.operator.address}))


def take(ledger: Ledger, session: Session, account: str, gas: int, ppm: int | None = None) -> None:
    """Take gas on for an account of `ppm` millionths, in the transaction that queues the call.

    Without a share it is for what passed. Raises RelayBudgetSpent.
    """
    spare = left(ledger, session, account, ppm)
    if gas > spare.account:
        raise RelayBudgetSpent(f"the relayer has {spare.account} gas left for {account} today, this takes {gas}")
    if gas > spare.everybody:
        raise RelayBudgetSpent(f"the relayer has {spare.everybody} gas left today, this takes {gas}")
    day = ledger.now() // DAY
    session.exec(delete(RelaySpending).where(col(RelaySpending.day) < day - KEPT))
    for name in (EVERYBODY, account):
        row = session.get(RelaySpending, (day, name), with_for_update=True) or RelaySpending(day=day, account=name)
        row.gas += gas
        session.add(row)
    session.flush()


def left(ledger: Ledger, session: Session, account: str, ppm: int | None = None) -> Left:
    """What is left today for an account of `ppm` millionths of the tokens, or without a share for what passed."""
    day, rules = ledger.now() // DAY, ledger.relay
    own, everybody = (_spent(session, day, name) for name in (account, EVERYBODY))
    most, daily = rules.account_gas, rules.daily_gas
    if ppm is not None:
        most, daily = min(most, max(LEAST, SHARES * rules.daily_gas * ppm // PPM)), daily - daily // CARRYING
    return Left(max(0, most - own), max(0, daily - everybody))


def _spent(session: Session, day: int, account: str) -> int:
    row = session.get(RelaySpending, (day, account))
    return row.gas if row is not None else 0
