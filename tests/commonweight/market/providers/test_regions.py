"""Countries in the names that clouds give their regions."""

from __future__ import annotations

import pytest

from commonweight.market.places import COUNTRIES
from commonweight.market.providers.regions import _TABLE, country_in

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("region", "country"),
    [
        ("eu-west-1", "IE"),
        ("eu-central-1a", "DE"),
        ("europe-west4-a", "NL"),
        ("us-central1-f", "US"),
        ("us-east-2", "US"),
        ("US-KS-2", "US"),
        ("EU-RO-1", "RO"),
        ("EUR-IS-2", "IS"),
        ("CA-MTL-1", "CA"),
        ("FIN-01", "FI"),
        ("westus3", "US"),
        ("Sweden, SE", "SE"),
        ("DE", "DE"),
        ("EU-XX-1", ""),
        ("mars-north-1", ""),
        ("", ""),
    ],
)
def test_a_region_has_its_country(region: str, country: str) -> None:
    assert country_in(region) == country


def test_the_table_has_known_countries_only() -> None:
    assert set(_TABLE.values()) <= COUNTRIES
