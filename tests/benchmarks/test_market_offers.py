"""The program that measures the view counts every offer, and names the provider that hangs."""

from __future__ import annotations

import pytest

from benchmarks.market_offers import measured

pytestmark = pytest.mark.integration


def test_every_offer_is_counted_beside_one_that_hangs() -> None:
    (found,) = measured(100, 1, seconds=15.0)
    assert found["whole"]
    assert found["offers"] >= 100
    assert [failure["provider"] for failure in found["failed"]] == ["dstack"]
    assert found["rest"] < found["all"]
