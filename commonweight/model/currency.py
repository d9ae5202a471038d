"""A currency for people: its maker's symbol and decimals, for output alone; options take its smallest units."""

from __future__ import annotations

from dataclasses import dataclass

from commonweight.terminal.console import one_line
from contracts.amounts import amount
from contracts.bindings.currency import Currency
from contracts.ids import Address

LONGEST_SYMBOL = 12
MOST_DECIMALS = 77


@dataclass(frozen=True)
class CurrencyTerms:
    """`address` of the ERC-20; a symbol is its maker's own choice and proves nothing."""

    address: Address
    symbol: str
    decimals: int

    @classmethod
    def of(cls, currency: Currency) -> CurrencyTerms:
        """The terms by the currency; without them its smallest units."""
        decimals = currency.decimals()
        symbol = one_line(currency.symbol(), LONGEST_SYMBOL)
        if not 0 <= decimals <= MOST_DECIMALS or not symbol:
            return cls(currency.address, symbol or "units", 0)
        return cls(currency.address, symbol, decimals)

    def text(self, units: int) -> str:
        """Units as people write them, and as options take them: 4.99 TEST (499 units)."""
        number = amount(units, self.symbol, self.decimals)
        return f"{number} ({units} units)" if self.decimals else number
