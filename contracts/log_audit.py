"""What follows from the public log alone: the payouts of an epoch."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.payout import split
from contracts.payout_tree import Payout

COMPUTE = 0


def epoch_payouts(work: Mapping[str, int], emission: int, chain_id: int, distributor: str, epoch: int) -> list[Payout]:
    """The lines of an epoch: `emission` units split by verified tokens per payout account (lower-case address).

    Lines are in order of account; who gets nothing has none. Raises InvalidPayout.
    """
    shares = sorted(split(emission, work).items())
    paid = [(account, amount) for account, amount in shares if amount]
    return [
        Payout(chain_id, distributor, epoch, index, account, COMPUTE, amount)
        for index, (account, amount) in enumerate(paid)
    ]
