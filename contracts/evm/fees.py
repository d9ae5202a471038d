"""The fee that a transaction offers for its gas: at first, and bumped when it was not enough. All in wei per gas.

A chain whose blocks have a base fee (EIP-1559) takes two numbers, one whose blocks have none takes a price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import RPCEndpoint, TxParams, Wei

from contracts.evm.errors import ChainUnfit

GAS_SPARE = (5, 4)
"""The estimate is of the state now; when it is mined, a little more may be needed."""


@dataclass(frozen=True)
class Fees:
    """The two fields of an EIP-1559 transaction; where the chain has no base fee (`legacy`) both are its price."""

    max_fee: int
    tip: int
    legacy: bool = False

    def raised(self, market: Fees, cap: int) -> Fees | None:
        """At least an eighth (12.5 %, rounded up) more in both fields, so that every node takes it for a replacement.

        More where the market asks for more. None if the cap forbids it.
        """
        least = Fees(_an_eighth_more(self.max_fee), _an_eighth_more(self.tip))
        if least.max_fee > cap:
            return None
        max_fee = min(cap, max(least.max_fee, market.max_fee))
        return Fees(max_fee, max_fee if market.legacy else min(max_fee, max(least.tip, market.tip)), market.legacy)

    def fields(self) -> TxParams:
        """The fee fields of a transaction."""
        if self.legacy:
            return {"gasPrice": Wei(self.max_fee)}
        return {"type": 2, "maxPriorityFeePerGas": Wei(self.tip), "maxFeePerGas": Wei(self.max_fee)}


def market(w3: Web3, cap: int | None = None) -> Fees | None:
    """Room for the base fee to double, and the tip that the node suggests; or the node's price where there is no base
    fee. None while more than the cap is asked for. Raises ChainUnfit, and what asking raises."""
    base = w3.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        price = int(w3.eth.gas_price)
        return None if cap is not None and price > cap else Fees(price, price, legacy=True)
    if cap is not None and base > cap:
        return None
    tip = _tip(w3, int(base))
    max_fee = 2 * int(base) + tip if cap is None else min(cap, 2 * int(base) + tip)
    return Fees(max_fee, min(tip, max_fee))


def with_spare(gas: int) -> int:
    """Gas limit for an estimate."""
    return gas * GAS_SPARE[0] // GAS_SPARE[1]


def _tip(w3: Web3, base: int) -> int:
    """As the node suggests it; many know no eth_maxPriorityFeePerGas, and some no eth_feeHistory: all know a price."""
    try:
        answer: Any = w3.manager.request_blocking(RPCEndpoint("eth_maxPriorityFeePerGas"), [])
    except Web3RPCError:
        return max(0, int(w3.eth.gas_price) - base)
    try:
        tip = answer if isinstance(answer, int) else int(str(answer), 16)
    except ValueError as error:
        raise ChainUnfit(f"the chain node suggests a tip of {str(answer)[:80]!r}") from error
    if tip < 0:
        raise ChainUnfit(f"the chain node suggests a tip of {tip}")
    return tip


def _an_eighth_more(fee: int) -> int:
    return fee + max(1, -(-fee // 8))
