"""Amounts for people: exact decimals of whole tokens or coins, never a float."""

from __future__ import annotations

from decimal import Decimal

from eth_utils.currency import from_wei


def tokens(units: int | str) -> str:
    """`units` of 1e-18 (tokens, coins) as a decimal that loses not one of them: 1,234.5."""
    return f"{Decimal(from_wei(int(units), 'ether')):,f}"
