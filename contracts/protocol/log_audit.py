"""Payouts of an epoch, from the public log alone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from contracts.ids import Address
from contracts.merkle.payout_tree import Payout
from contracts.protocol.payout_shares import split
from contracts.protocol.run_config import RunConfig


class PayoutKind(IntEnum):
    """Kinds of contribution, as payout leaves carry them."""

    COMPUTE = 0
    CODE = 1
    CAPITAL = 2
    DATA = 3


Contributions = Mapping[PayoutKind, Mapping[Address, int]]
"""Weight by lower-case payout account, for each kind: verified tokens, or what maintainers said."""


def kind_weights(config: RunConfig) -> dict[PayoutKind, int]:
    """The holders' weights for an emission. Capital is what was spent on the run (judge/rules/invoices.py); deposits
    are paid by their pool, at a price, and not by epochs."""
    return {
        PayoutKind.COMPUTE: config.compute_weight,
        PayoutKind.CODE: config.code_weight,
        PayoutKind.CAPITAL: config.capital_weight,
        PayoutKind.DATA: config.data_weight,
    }


def epoch_payouts(
    contributed: Contributions,
    weights: Mapping[PayoutKind, int],
    emission: int,
    chain_id: int,
    distributor: str,
    epoch: int,
) -> list[Payout]:
    """The lines of an epoch: `emission` units split over the kinds that were contributed, then within each by weight.

    A kind of which there was nothing leaves its share to the others: the sum is exactly the emission. Lines are in
    order of account, then kind; an account that gets nothing has none. Raises InvalidPayout.
    """
    shares = split(
        emission, {str(int(kind)): weights.get(kind, 0) for kind, by_account in contributed.items() if by_account}
    )
    lines = sorted(
        (account, int(kind), amount)
        for kind, by_account in contributed.items()
        if by_account
        for account, amount in split(shares[str(int(kind))], by_account).items()
        if amount
    )
    return [
        Payout(chain_id, distributor, epoch, index, account, kind, amount)
        for index, (account, kind, amount) in enumerate(lines)
    ]
