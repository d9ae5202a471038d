"""Amounts for people, in one style: exact decimals, never a float, and the name of their unit.

Scripts get smallest units as text.
"""

from __future__ import annotations

from decimal import Context, Decimal

TOKEN_DECIMALS = 18
TOKENS, VOTES = "tokens", "votes"
"""Names of a model's units whose symbol is not at hand; a token is a vote."""
COINS = "coins"
"""Name of the unit of a chain's gas and stakes, of 1e18 wei: chains call it as they like, and tell no program."""
_EXACT = Context(prec=160)
"""Digits that hold any uint256, whatever its decimals: nothing is rounded."""


def amount(units: int | str, name: str, decimals: int = TOKEN_DECIMALS) -> str:
    """Smallest units as people write them, with the name of the whole: 1,234.5 TINY."""
    return f"{digits(units, decimals)} {name}"


def digits(units: int | str, decimals: int = TOKEN_DECIMALS) -> str:
    """The number alone, for a column that names its unit: a decimal that loses not one unit."""
    if not decimals:
        return f"{int(units):,}"
    text = f"{_EXACT.scaleb(Decimal(int(units)), -decimals):,f}"
    return text.rstrip("0").rstrip(".")
