"""What a transaction offers for its gas: once, and again when it was not enough. All in wei per gas."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3

GAS_SPARE = (5, 4)
"""The estimate is of the state now; when it is mined, a little more may be needed."""


@dataclass(frozen=True)
class Fees:
    """The two fields of an EIP-1559 transaction."""

    max_fee: int
    tip: int

    def raised(self, market: Fees, cap: int) -> Fees | None:
        """At least an eighth (12.5 %, rounded up) more in both fields, so that every node takes it for a replacement.

        More where the market asks for more. None if the cap forbids it.
        """
        least = Fees(_an_eighth_more(self.max_fee), _an_eighth_more(self.tip))
        if least.max_fee > cap:
            return None
        max_fee = min(cap, max(least.max_fee, market.max_fee))
        return Fees(max_fee, min(max_fee, max(least.tip, market.tip)))


def market(w3: Web3, cap: int) -> Fees | None:
    """Room for the base fee to double, and the tip that the node suggests. None while the base fee is above the cap."""
    base, tip = int(w3.eth.get_block("latest")["baseFeePerGas"]), int(w3.eth.max_priority_fee)
    if base > cap:
        return None
    max_fee = min(cap, 2 * base + tip)
    return Fees(max_fee, min(tip, max_fee))


def with_spare(gas: int) -> int:
    """Gas limit for an estimate."""
    return gas * GAS_SPARE[0] // GAS_SPARE[1]


def _an_eighth_more(fee: int) -> int:
    return fee + max(1, -(-fee // 8))
