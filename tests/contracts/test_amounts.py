from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.amounts import amount, digits
from tests.sources import ROOT, own_sources

pytestmark = pytest.mark.unit


@given(st.integers(0, 2**256 - 1))
def test_not_a_unit_is_lost(units: int) -> None:
    whole, _, part = digits(units).replace(",", "").partition(".")
    assert int(whole) * 10**18 + int(part.ljust(18, "0")) == units


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0"),
        (1, "0.000000000000000001"),
        (10**18, "1"),
        (10**24, "1,000,000"),
        ("333333333333333333333334", "333,333.333333333333333334"),
        (2**53 * 10**18 + 1, "9,007,199,254,740,992.000000000000000001"),
    ],
)
def test_amounts_read_well(units: int | str, text: str) -> None:
    assert digits(units) == text


@given(st.integers(0, 2**256 - 1), st.integers(0, 77))
def test_no_unit_of_any_currency_is_lost(units: int, decimals: int) -> None:
    text = amount(units, "COIN", decimals).removesuffix(" COIN").replace(",", "")
    whole, _, part = text.partition(".")
    assert int(whole) * 10**decimals + int(part.ljust(decimals, "0") or 0) == units


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(10**21, 18, "1,000 C"), (1_500, 2, "15 C"), (10, 1, "1 C"), (700, 0, "700 C"), (0, 18, "0 C"), (100, 0, "100 C")],
)
def test_amounts_with_their_currency_read_well(units: int, decimals: int, text: str) -> None:
    assert amount(units, "C", decimals) == text


def test_no_other_code_makes_amounts() -> None:
    """One style: whatever is printed of tokens, coins or a currency comes from here."""
    bare = re.compile(r"\}[ ](wei|coins|units)\b")
    for source in own_sources():
        text = source.read_text()
        assert "from_wei" not in text, source
        if source.is_relative_to(ROOT / "commonweight") and source.name != "currency.py":
            found = [line for line in text.splitlines() if bare.search(line)]
            assert not found, f"{source}: {found}"
