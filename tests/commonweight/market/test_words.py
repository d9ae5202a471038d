"""Money, GPUs, places and queries: what people and providers write, read exactly or refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from commonweight.market.accounts import open_accounts
from commonweight.market.errors import BadPrice, BadQuery, KeyMissing
from commonweight.market.gpus import GPUS, gpu_name, known, require_gpu
from commonweight.market.money import dollars, for_seconds, in_dollars, micro_usd
from commonweight.market.offers import Level, Sorting, gpu_range, query_of, sorted_offers
from commonweight.market.places import countries_of, country_of
from tests.commonweight.market.renting.simulated import offer

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "micro"),
    [(Decimal("0.1"), 100_000), (Decimal("0.0000001"), 1), (2, 2_000_000), ("1.5", 1_500_000), (0, 0)],
)
def test_a_price_is_read_exactly_and_rounded_up(value: object, micro: int) -> None:
    assert micro_usd(value, "price") == micro


@pytest.mark.parametrize("value", [-1, "-0.1", "NaN", "Infinity", "2 EUR", "", None, True, 1.5, 10**9, "1e9", [], {}])
def test_what_is_no_price_is_refused(value: object) -> None:
    with pytest.raises(BadPrice):
        micro_usd(value, "price")


def test_other_currencies_are_refused() -> None:
    in_dollars("usd", "price")
    with pytest.raises(BadPrice, match="EUR"):
        in_dollars("EUR", "price")


def test_costs_are_rounded_up() -> None:
    assert (for_seconds(1, 1), for_seconds(3_600_000_000, 1)) == (1, 1_000_000)
    assert (dollars(1), dollars(1_234_567_890), dollars(10_000)) == ("$0.01", "$1,234.57", "$0.01")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RTX 4090", "4090"),
        ("NVIDIA H100 80GB SXM5", "H100"),
        ("gpu_8x_h100_sxm5", "H100"),
        ("RTX A6000", "A6000"),
        ("RTX 6000Ada", "RTX6000ADA"),
        ("geforce rtx 3060 ti", "3060TI"),
        ("Tesla T4", "T4"),
        ("Q RTX 8000", "RTX8000"),
        ("RTX 4070S Ti", "4070TIS"),
        ("L40S", "L40S"),
    ],
)
def test_a_gpu_has_one_name(text: str, name: str) -> None:
    found = known(text)
    assert found is not None
    assert found.name == name


def test_every_gpu_is_known_by_its_own_name() -> None:
    assert [require_gpu(name).name for name in GPUS] == list(GPUS)


def test_an_unknown_gpu_is_named_with_the_nearest() -> None:
    with pytest.raises(BadQuery, match="H100"):
        require_gpu("H1000")
    assert gpu_name("Radeon\x1b[31m 9000!") == "RADEON31M9000"


def test_places_have_codes() -> None:
    assert [country_of(text) for text in ("Washington, US", "Sweden, SE", "germany", "Mars", "")] == [
        "US",
        "SE",
        "DE",
        "",
        "",
    ]
    assert "DE" in countries_of("eu")
    assert "CH" not in countries_of("EU")
    assert countries_of("north america") == {"US", "CA", "MX"}
    with pytest.raises(BadQuery, match="GERMANY"):
        countries_of("Germny")


@pytest.mark.parametrize("text", ["", "0", "8-1", "1-129", "-8", "x", "1-2-3", "٣"])
def test_a_number_of_gpus_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        gpu_range(text)


def test_a_query_takes_what_it_says() -> None:
    query = query_of("H100", "1-2", "EU", level=Level.DATACENTER, max_price=micro_usd(2, "price"))
    assert query.takes(offer(country="SE"))
    for other in (
        offer(country="US"),
        offer(gpu="4090", country="SE"),
        offer(gpus=4, price=8, country="SE"),
        offer(price=2_000_001, country="SE"),
    ):
        assert not query.takes(other)


def test_offers_are_sorted_by_the_price_of_verified_tokens() -> None:
    cheap, quick, unseen = (
        offer("a", gpu="4090", price=500_000),
        offer("b", price=2_000_000),
        offer("c", gpu="T4", price=1),
    )
    rates = {"4090": 1_000, "H100": 10_000}
    assert [one.name for one in sorted_offers([unseen, cheap, quick], Sorting.TOKENS, rates)] == ["b", "a", "c"]
    assert [one.name for one in sorted_offers([quick, cheap, unseen], Sorting.PRICE)] == ["c", "a", "b"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "keys" / "lambda"
    file.parent.mkdir()
    file.write_text("secret-of-mine")
    file.chmod(0o644)
    with pytest.raises(KeyMissing, match="chmod 600"):
        open_accounts(tmp_path, ["lambda"])
    file.chmod(0o600)
    assert list(open_accounts(tmp_path, ["lambda"]).providers) == ["lambda"]
    assert set(open_accounts(tmp_path).missing) == {"akash", "ionet", "vast", "dstack", "network"}
    with pytest.raises(BadQuery, match="not a provider here"):
        open_accounts(tmp_path, ["aws"])
