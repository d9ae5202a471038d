"""The debts of an epoch by account: earnings stay with the account that earned them (J19).

The emission of an epoch is split once, when it closes, into whole units by kind and account. Units that the contract's
limit cuts from it are owed to the same accounts, and come before the earnings of later epochs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from contracts.ids import Address
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.terms import MOST_PAID
from contracts.protocol.payout_shares import split

Units = dict[tuple[int, Address], int]
"""Token units by kind and account; an account that waits for a place in an entry is first, then the longest owed."""


COMPUTE = 0
"""The kind of what nodes do (contracts/protocol/log_audit.py:PayoutKind)."""
Splits = Callable[[str, dict[int, dict[Address, int]], int], Sequence[Line]]
"""Lines by a configuration, of what was given by kind and account, for so many units."""
Capital = Callable[[dict[int, dict[Address, int]], int], Units]
"""The units of capital beside timely earnings, of so many units at most."""


class Earning(Protocol):
    """The work that a run's next epoch pays for (contracts/protocol/judge/state.py:RunState)."""

    paying: str
    earned: dict[int, dict[Address, int]]
    late: dict[str, dict[Address, int]]


def earned_by(lines: Sequence[Line]) -> Units:
    """An emission's lines as units."""
    return {(line.kind, line.account): line.amount for line in lines}


def no_capital(_: dict[int, dict[Address, int]], __: int) -> Units:
    """The capital of a run without any."""
    return {}


def emitted(lines: Splits, run: Earning, emission: int, capital: Capital = no_capital) -> Units:
    """An epoch's emission over all that was earned. Work that was posted late has what it would have if its round's
    configuration paid for all; the rest is split by the epoch's own, or, where nobody has a share by it, by the late
    work's. Capital takes its units from that rest."""
    late = {config: by_account for config, by_account in run.late.items() if config != run.paying}
    timely = {kind: dict(by_account) for kind, by_account in run.earned.items()}
    units: Units = {}
    for config, by_account in late.items():
        shares = earned_by(lines(config, run.earned, emission))
        for account, tokens in by_account.items():
            timely[COMPUTE][account] -= tokens
            key = next((key for key in shares if key in ((COMPUTE, account), (COMPUTE, account.lower()))), None)
            if key is not None:
                part = shares[key] * tokens // _tokens(run.earned[COMPUTE], account)
                units[key] = units.get(key, 0) + min(part, emission - sum(units.values()))
    funded = capital(timely, emission - sum(units.values()))
    units = _sum(units, funded)
    left = emission - sum(units.values())
    rest = earned_by(lines(run.paying, timely, left))
    return _sum(units, rest if rest or not left or not late else earned_by(lines(next(iter(late)), run.earned, left)))


def lines_within(owed: Units, earned: Units, within: int) -> tuple[Line, ...]:
    """An epoch's pay of `within` units: first the debts from before, then its own earnings, each in full or
    pro rata. One line a kind and account, in order of account, then kind (as contracts/protocol/log_audit.py has
    them)."""
    placed = list(_sum(owed, earned))[:MOST_PAID]
    first = _cut({key: owed[key] for key in placed if key in owed}, within)
    second = _cut({key: earned[key] for key in placed if key in earned}, within - sum(first.values()))
    units = _sum(first, second)
    return tuple(Line(account, kind, units[kind, account]) for kind, account in sorted(units, key=_place))


def left_of(owed: Units, earned: Units, lines: Sequence[Line]) -> Units:
    """The units that lines leave unpaid, by account: first accounts that they paid nothing, so that none keeps its
    place in an entry while others find none."""
    due = _sum(owed, earned)
    paid = earned_by(lines)
    unpaid = {key: amount - paid.get(key, 0) for key, amount in due.items() if amount > paid.get(key, 0)}
    return {key: unpaid[key] for key in sorted(unpaid, key=paid.__contains__)}


def _tokens(by_account: Mapping[Address, int], account: Address) -> int:
    """The tokens of an account, however its address is spelled."""
    return sum(tokens for name, tokens in by_account.items() if name.lower() == account.lower())


def _sum(owed: Units, earned: Units) -> Units:
    """The sums of both that are not zero: in the order of the first, then of the second."""
    sums = Counter(owed)
    sums.update(earned)
    return {key: amount for key, amount in sums.items() if amount}


def _cut(units: Units, within: int) -> Units:
    """Largest remainder (contracts/protocol/payout_shares.py). Of less than the whole nobody's part is more than its
    own units."""
    if sum(units.values()) <= within:
        return units
    keys: Mapping[str, tuple[int, Address]] = {f"{account} {kind}": (kind, account) for kind, account in units}
    shares = split(within, {name: units[key] for name, key in keys.items()})
    return {key: shares[name] for name, key in keys.items()}


def _place(key: tuple[int, Address]) -> tuple[str, int]:
    return key[1], key[0]
