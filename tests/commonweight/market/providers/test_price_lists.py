"""List prices by gpuhunt: read exactly, said to be a list, and never silent about a list that is not there."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from commonweight.market.errors import BadQuery, KeyMissing, MarketError, ProviderAway, RequestRefused
from commonweight.market.offers import Level, Offer, OfferKind, Query
from commonweight.market.provider import Bootstrap
from commonweight.market.providers.price_lists import ELSEWHERE, NAMES, PriceList, price_lists
from commonweight.terminal.failures import PartMissing
from tests.commonweight.market.stand_ins.catalogs import Publisher, lay, publishing, row
from tests.commonweight.market.stand_ins.stand_in import Request, StandIn, standing

pytestmark = pytest.mark.integration
LISTS = Query(kinds=frozenset({OfferKind.LIST}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where gpuhunt looks for lists."""
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path))
    return tmp_path


def one(name: str, query: Query = LISTS) -> list[Offer]:
    """The offers of one list, read anew."""
    return PriceList(name).offers(query)


def test_a_row_becomes_a_list_price(folder: Path) -> None:
    lay(folder, aws=[row(location="eu-west-3")])
    (offer,) = one("aws")
    assert offer.kind is OfferKind.LIST
    assert (offer.provider, offer.name) == ("aws", "p5.48xlarge@eu-west-3")
    assert (offer.gpu, offer.gpus, offer.gpu_memory_gb) == ("H100", 8, 80)
    assert (offer.price.total, offer.per_gpu) == (98_320_000, 12_290_000)
    assert (offer.country, offer.place) == ("FR", "eu-west-3")
    assert (offer.cpus, offer.memory_gb, offer.available) == (192, 2048, 0)
    assert not offer.interruptible


def test_floats_are_read_as_their_cloud_wrote_them(folder: Path) -> None:
    prices = {"a": "0.1", "b": "0.526", "c": "1.0000001", "d": "2.006"}
    lay(folder, gcp=[row(instance_name=name, price=price) for name, price in prices.items()])
    assert [offer.price.machine for offer in one("gcp")] == [100_000, 526_000, 1_000_001, 2_006_000]


def test_spot_rows_are_interruptible_and_other_offers(folder: Path) -> None:
    lay(folder, aws=[row(), row(spot="True", price="40.1")])
    whole, spot = one("aws")
    assert spot.interruptible
    assert spot.name != whole.name
    assert [offer.interruptible for offer in one("aws", Query(kinds=LISTS.kinds, interruptible=False))] == [False]


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "0", "0.0", "999999", "free"])
def test_prices_nobody_could_pay_are_left_out(folder: Path, price: str) -> None:
    lay(folder, oci=[row(price=price), row(instance_name="sound", price="1.5")])
    assert [offer.name for offer in one("oci")] == ["sound@us-east-1"]


def test_a_price_left_out_is_one_line_in_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    lay(folder, oci=[row(price="-1")])
    assert one("oci") == []
    assert [record.message for record in caplog.records if "a row is left out" in record.message]


def test_the_query_filters_and_machines_without_gpus_go(folder: Path) -> None:
    none = row(instance_name="cpu", gpu_count="0", gpu_name="", gpu_memory="", gpu_vendor="")
    few = row(instance_name="few", gpu_count="2", gpu_name="RTX4090", location="westeurope", price="1")
    lay(folder, azure=[row(), none, few])
    assert {offer.name for offer in one("azure")} == {"p5.48xlarge@us-east-1", "few@westeurope"}
    assert [offer.gpu for offer in one("azure", Query(most=4, kinds=LISTS.kinds))] == ["4090"]
    assert [offer.gpu for offer in one("azure", Query(frozenset({"H100"}), kinds=LISTS.kinds))] == ["H100"]
    assert [offer.country for offer in one("azure", Query(countries=frozenset({"NL"}), kinds=LISTS.kinds))] == ["NL"]


def test_a_query_for_live_offers_reads_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", "http://127.0.0.1:1")
    assert PriceList("aws").offers(Query()) == []


def test_a_list_that_is_not_there_is_a_failure(folder: Path) -> None:
    lay(folder, aws=[row()])
    assert len(one("aws")) == 1
    with pytest.raises(ProviderAway, match="gcp"):
        one("gcp")


def test_an_empty_list_is_a_failure(folder: Path) -> None:
    lay(folder, aws=[])
    with pytest.raises(ProviderAway, match="the price list of aws is empty"):
        one("aws")


def test_a_list_with_nothing_that_fits_is_none(folder: Path) -> None:
    lay(folder, aws=[row()])
    assert one("aws", Query(frozenset({"4090"}), kinds=LISTS.kinds)) == []


def test_unknown_clouds_are_refused_with_the_known_ones() -> None:
    with pytest.raises(BadQuery, match=r"'awz' has no price list here; known are aws, azure"):
        price_lists(["aws", "awz"])


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_clouds_with_a_live_adapter_are_left_out(name: str) -> None:
    assert name not in NAMES
    assert name not in {source.facts.name for source in price_lists()}
    with pytest.raises(BadQuery, match="has a live adapter here"):
        price_lists([name])


def test_every_cloud_of_the_library_is_known_or_left_out() -> None:
    inner = importlib.import_module("gpuhunt._internal.catalog")
    assert {*NAMES, *ELSEWHERE} == {*inner.OFFLINE_PROVIDERS, *inner.ONLINE_PROVIDERS}


def test_a_list_rents_nothing(folder: Path) -> None:
    lay(folder, aws=[row()])
    source = PriceList("aws")
    (offer,) = source.offers(LISTS)
    calls: list[Any] = [
        lambda: source.launch(offer, Bootstrap("", ""), "tag", lambda _: None),
        source.machines,
        lambda: source.terminate("x"),
        lambda: source.spent("x"),
        lambda: source.logs("x"),
    ]
    for call in calls:
        with pytest.raises(RequestRefused, match="the price list of aws shows prices and rents nothing") as caught:
            call()
        assert not caught.value.sent


def test_a_level_has_its_ground(folder: Path) -> None:
    lay(folder, aws=[row()], runpod=[row()])
    (big,), (mixed,) = one("aws"), one("runpod")
    assert (big.security.level, big.security.ground) == (Level.DATACENTER, "AWS runs its own data centres")
    assert mixed.security.level is Level.COMMUNITY
    assert "does not say" in mixed.security.ground


def test_without_the_library_its_part_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "gpuhunt"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(*sys.meta_path)])
    with pytest.raises(PartMissing, match=r"pip install 'commonweight\[market\]'"):
        price_lists(["aws"])
    with pytest.raises(PartMissing):
        one("aws")


class _Without:
    """An importer that finds all modules but gpuhunt's."""

    def __init__(self, *others: Any) -> None:
        self.others = others

    def find_spec(self, name: str, *where: Any) -> Any:
        """Of the others, the first that has it."""
        if name.partition(".")[0] == "gpuhunt":
            return None
        return next((spec for one in self.others if (spec := one.find_spec(name, *where)) is not None), None)


def test_published_lists_are_fetched_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUHUNT_CATALOG_DIR", raising=False)
    with publishing(Publisher({"aws": [row()], "gcp": [row(price="80")]})) as publisher:
        monkeypatch.setenv("GPUHUNT_CATALOG_URL", publisher.url)
        found: dict[str, int] = {}
        failed: dict[str, MarketError] = {}
        for source in price_lists(["aws", "azure", "gcp"]):
            try:
                found[source.facts.name] = source.offers(LISTS)[0].price.total
            except MarketError as error:
                failed[source.facts.name] = error
    assert found == {"aws": 98_320_000, "gcp": 80_000_000}
    assert [(name, type(error)) for name, error in failed.items()] == [("azure", ProviderAway)]


def test_a_list_that_hangs_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUHUNT_CATALOG_DIR", raising=False)
    with publishing(Publisher({"aws": [row()]}, hanging=frozenset({"gcp"}))) as publisher:
        monkeypatch.setenv("GPUHUNT_CATALOG_URL", publisher.url)
        assert len(PriceList("aws").offers(LISTS)) == 1
        with pytest.raises(ProviderAway, match=r"the price list of gcp is not there after 0\.2 seconds"):
            PriceList("gcp", seconds=0.2).offers(LISTS)


def test_a_published_list_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUHUNT_CATALOG_DIR", raising=False)
    with publishing(Publisher({"aws": [row()]})) as publisher:
        monkeypatch.setenv("GPUHUNT_CATALOG_URL", publisher.url)
        source = PriceList("aws")
        assert source.offers(LISTS) == source.offers(LISTS)
    assert publisher.asked == ["/aws/version", "/aws/7/catalog.zip"]


class Lium(StandIn):
    """A feed of one host with two GPUs, and no key."""

    def answer(self, request: Request) -> tuple[int, Any]:
        """The host."""
        host = {
            "id": "n1",
            "gpu_model": "NVIDIA GeForce RTX 4090",
            "gpu_count": 2,
            "available_gpu_count": 2,
            "min_rentable_gpu_count": 2,
            "price_per_gpu_hour": 0.31,
            "gpu_memory_gb": 24,
            "cpu_count": 32,
            "ram_gb": 128,
            "disk_free_gb": 500,
            "country_code": "SE",
        }
        return 200, {"nodes": [host]}


def test_a_cloud_that_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with standing(Lium()) as stand_in:
        monkeypatch.setattr("gpuhunt.providers.lium.NODES_URL", stand_in.url)
        (offer,) = one("lium")
        assert (offer.gpu, offer.gpus, offer.price.total, offer.country) == ("4090", 2, 620_000, "SE")
        assert offer.security.level is Level.COMMUNITY
    with pytest.raises(ProviderAway, match="the price list of lium cannot be had"):
        one("lium")


def test_a_key_the_cloud_wants_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOTAISLE_API_KEY", raising=False)
    with pytest.raises(KeyMissing, match="the price list of hotaisle wants a key"):
        one("hotaisle")
