from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonweight.amounts import tokens

pytestmark = pytest.mark.unit


@given(st.integers(0, 2**256 - 1))
def test_not_a_unit_is_lost(units: int) -> None:
    whole, _, part = tokens(units).replace(",", "").partition(".")
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
    assert tokens(units) == text
