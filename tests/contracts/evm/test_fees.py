"""What a replacement must offer: an eighth more in both fields, and never more than the cap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evm.fees import Fees
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

WEI = st.integers(0, 10**15)


@holds(
    "A replacement keeps the nonce, raises the fee by an eighth, and never exceeds the fee cap",
    by="contracts/evm/fees.py:Fees.raised",
    against=Threat.BAD_CHAIN,
)
@given(WEI, WEI, WEI, WEI)
def test_both_fees_rise_by_an_eighth_whatever_the_market_says(
    max_fee: int, tip: int, market_fee: int, market_tip: int
) -> None:
    old = Fees(max(max_fee, tip), tip)
    new = old.raised(Fees(market_fee, market_tip), 10**18)
    assert new is not None
    assert 8 * new.max_fee >= 9 * old.max_fee
    assert 8 * new.tip >= 9 * old.tip
    assert new.max_fee > old.max_fee
    assert new.tip > old.tip
    assert new.tip <= new.max_fee


@given(WEI, WEI, WEI, WEI, WEI)
def test_the_cap_holds_or_there_is_no_replacement(
    fee: int, tip: int, market_fee: int, market_tip: int, cap: int
) -> None:
    old = Fees(max(fee, tip), tip)
    new = old.raised(Fees(market_fee, market_tip), cap)
    if new is None:
        assert 9 * old.max_fee > 8 * (cap - 1)
        return
    assert new.max_fee <= cap
    assert 8 * new.max_fee >= 9 * old.max_fee


def test_it_offers_what_the_market_asks_where_that_is_more() -> None:
    assert Fees(800, 8).raised(Fees(5_000, 70), 10_000) == Fees(5_000, 70)
    assert Fees(801, 9).raised(Fees(1, 1), 10_000) == Fees(902, 11)
