"""Capital in an epoch: a part of the emission by its weight, and never more than what was credited is worth (ADR 61).

A share by weight alone would pay one cent with all of capital's part. What a small part leaves unpaid waits for the
run's next epochs, and lapses with the run.
"""

from __future__ import annotations

from contracts.ids import Address
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.judge.rules.entitlements import COMPUTE, Splits, Units, earned_by
from contracts.protocol.judge.rules.labour import TOKEN
from contracts.protocol.judge.state import RunState, State

CAPITAL = 2
"""The kind in payout leaves (contracts/protocol/log_audit.py:PayoutKind)."""


def paid(lines: Splits, run: RunState, earned: dict[int, dict[Address, int]], emission: int, price: int) -> Units:
    """The units of capital beside what was earned in time. None in an epoch without verified compute, and none where
    the epoch's configuration gives a token no price (micro-USD)."""
    if not price or not run.capital or not any(earned.get(COMPUTE, {}).values()):
        return {}
    shares = earned_by(lines(run.paying, {**earned, CAPITAL: run.capital}, emission))
    worth = _by_name(run.capital)
    return {
        (kind, account): units
        for (kind, account), share in shares.items()
        if kind == CAPITAL and (units := min(share, worth[account.lower()] * TOKEN // price))
    }


def worth_of(units: int, price: int) -> int:
    """Micro-USD that units are worth at a whole token's price, rounded up: no unit of capital is paid from nothing."""
    return -(-units * price // TOKEN)


def units_of(closed: EpochClosed, account: str) -> int:
    """The units of capital that an epoch pays an account, however its address is spelled."""
    return sum(line.amount for line in closed.lines if line.kind == CAPITAL and line.account.lower() == account.lower())


def reduce(state: State, run: RunState, entitled: Units) -> None:
    """Capital that an epoch pays is not paid again, at the price by which it was paid."""
    price = state.functions.capital(run.paying).price if run.paying else 0
    units = _by_name({account: n for (kind, account), n in entitled.items() if kind == CAPITAL})
    for account in list(run.capital):
        run.capital[account] -= worth_of(units.get(account.lower(), 0), price)
        if run.capital[account] <= 0:
            del run.capital[account]


def _by_name(amounts: dict[Address, int]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for account, amount in amounts.items():
        sums[account.lower()] = sums.get(account.lower(), 0) + amount
    return sums
