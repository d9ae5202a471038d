"""Amounts for people: exact decimals of whole tokens or coins, never a float, with the name of what they are of."""

from __future__ import annotations

from decimal import Context, Decimal

from eth_utils.currency import from_wei

TOKEN_DECIMALS = 18
_EXACT = Context(prec=160)
"""Digits that hold any uint256, whatever its decimals: nothing is rounded."""


def tokens(units: int | str) -> str:
    """`units` of 1e-18 (tokens, coins) as a decimal that loses not one of them: 1,234.5."""
    return f"{Decimal(from_wei(int(units), 'ether')):,f}"


def amount(units: int | str, name: str, decimals: int = TOKEN_DECIMALS) -> str:
    """Smallest units of a currency as people write them, with its name: 1,234.5 TINY."""
    if not decimals:
        return f"{int(units):,} {name}"
    whole = _EXACT.scaleb(Decimal(int(units)), -decimals)
    text = f"{whole:,f}"
    return f"{text.rstrip('0').rstrip('.')} {name}"
