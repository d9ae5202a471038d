"""The relayer's balance: a warning once, while there is time to fund it.

The relayer pays for roots, claims, ballots and faults. Without coins they all wait, and nothing else says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.amounts import COINS, amount
from contracts.evm.fees import market
from contracts.ids import Address
from ledger.context import Ledger

CALL_GAS = 300_000
"""Gas of a usual call of the relayer: a root under four signatures takes about as much (docs/gas.md)."""
FEW_CALLS = 50
"""Calls that can be paid for, below which the warning comes."""
LOOK_SECONDS = 60.0


@dataclass(frozen=True)
class RelayerMoney:
    """The balance of `address` in wei, and the number of calls that it pays for at the fees of now."""

    address: Address
    balance: int
    calls: int


def look(ledger: Ledger) -> RelayerMoney:
    """The balance at the newest block. Raises what asking the chain raises."""
    w3 = ledger.chain.w3
    address = ledger.operator.address
    offer = market(w3)
    balance = int(w3.eth.get_balance(address))
    assert offer is not None, "there is no cap"
    return RelayerMoney(address, balance, balance // max(1, CALL_GAS * offer.max_fee))


class MoneyWatch:
    """Warns once that the balance is low, and says once that it is enough again. `clock` gives seconds."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._next = float("-inf")
        self._low = False

    def look(self, ledger: Ledger) -> None:
        """Look at the balance, at most once in LOOK_SECONDS. Raises what asking the chain raises."""
        if self._clock() < self._next:
            return
        money = look(ledger)
        self._next = self._clock() + LOOK_SECONDS
        low = money.calls < FEW_CALLS
        if low and not self._low:
            self._say(
                f"the relayer {money.address} has {amount(money.balance, COINS)} left, enough for about {money.calls} "
                "calls at the fees of now: send coins to it"
            )
        if self._low and not low:
            self._say(f"the relayer {money.address} has {amount(money.balance, COINS)} again")
        self._low = low
