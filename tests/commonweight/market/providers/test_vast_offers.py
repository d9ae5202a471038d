"""Vast.ai's offers: whole prices, levels, pages and bad rows."""

from __future__ import annotations

from typing import Any

import pytest

from commonweight.market.errors import (
    ProviderAway,
)
from commonweight.market.offers import Level, Query
from commonweight.market.providers.vast import Vast
from tests.commonweight.market.providers.vast_account import (
    ASKED,
    bid,
    fixed,
)
from tests.commonweight.market.stand_ins.stand_in import Fault
from tests.commonweight.market.stand_ins.vast import VastStandIn, offer_row

pytestmark = pytest.mark.integration


class TestOffers:
    def test_whole_price(self, vast: Vast) -> None:
        """0.36 + 100 GB x 0.144 / 720 h + 5 GB x (0.004 + 0.002)."""
        price = fixed(vast).price
        assert (price.machine, price.storage, price.traffic, price.total) == (360_000, 20_000, 30_000, 410_000)

    def test_a_bid_costs_the_least_that_is_taken(self, vast: Vast) -> None:
        offer = bid(vast)
        assert (offer.name, offer.price.machine, offer.price.total) == ("4001-bid", 120_000, 170_000)

    def test_no_bids_where_none_are_wanted(self, vast: Vast, stand_in: VastStandIn) -> None:
        assert [one.name for one in vast.offers(Query(interruptible=False))] == ["4001"]
        assert all(call.body["type"] == "ondemand" for call in stand_in.calls("POST", "/api/v0/bundles"))

    def test_what_is_said_of_the_machine(self, vast: Vast) -> None:
        offer = fixed(vast)
        assert (offer.gpu, offer.gpus, offer.gpu_memory_gb, offer.country) == ("4090", 1, 24, "SE")
        assert (offer.cpus, offer.memory_gb, offer.disk_gb, offer.up_mbps) == (16, 64, 100, 612)
        assert (offer.reliability, offer.link, offer.booked_seconds) == (996_865, "", 1)

    @pytest.mark.parametrize(
        ("changes", "level"),
        [
            ({"hosting_type": 1}, Level.DATACENTER),
            ({"hosting_type": 1, "verification": "unverified"}, Level.COMMUNITY),
            ({"hosting_type": None}, Level.COMMUNITY),
            ({"verification": "deverified"}, Level.COMMUNITY),
            ({"verification": None}, Level.COMMUNITY),
        ],
    )
    def test_level(self, vast: Vast, stand_in: VastStandIn, changes: dict[str, Any], level: Level) -> None:
        stand_in.offers[4001] |= changes
        security = fixed(vast).security
        assert (security.level, "Vast.ai" in security.ground) == (level, True)

    def test_a_query_for_data_centres_gets_no_others(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers[4002] = offer_row(4002, hosting_type=1)
        assert {one.name for one in vast.offers(Query(level=Level.DATACENTER))} == {"4002", "4002-bid"}

    def test_nvlink_and_variant(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers[4001] |= {"gpu_name": "H100 SXM", "num_gpus": 8, "gpu_ram": 81559, "bw_nvlink": 403.1}
        offer = fixed(vast)
        assert (offer.gpu, offer.variant, offer.gpu_memory_gb, offer.link) == ("H100", "H100 SXM", 80, "NVLink")

    @pytest.mark.parametrize(
        "changes",
        [
            {"dph_base": "0.36 USD"},
            {"dph_base": -0.1, "min_bid": -0.1},
            {"dph_base": 36_000_000, "min_bid": 36_000_000},
            {"dph_base": 0, "min_bid": 0},
            {"dph_base": None},
            {"dph_base": True},
            {"storage_cost": -1},
            {"inet_up_cost": "free"},
            {"inet_down_cost": 9999.9},
            {"num_gpus": 0},
            {"num_gpus": None},
            {"num_gpus": "many"},
            {"gpu_name": ""},
            {"reliability2": 1.5},
            {"gpu_frac": 0},
        ],
    )
    def test_a_bad_row_hides_no_other(
        self, vast: Vast, stand_in: VastStandIn, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        stand_in.offers = {4001: offer_row(4001, **changes), 4002: offer_row(4002)}
        rows = list(stand_in.offers.values())
        stand_in._found = lambda search: [  # type: ignore[method-assign]
            row for row in rows if row["id"] > search["id"]["gt"]
        ]
        assert [one.name for one in vast.offers(Query(least=0, interruptible=False))] == ["4002"]
        assert "a row is left out" in caplog.text

    def test_a_taken_machine_is_no_offer(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers[4001]["rented"] = True
        assert vast.offers(ASKED) == []

    def test_a_small_disk_is_no_offer(self, vast: Vast, stand_in: VastStandIn) -> None:
        assert vast.offers(Query(disk_gb=413)) == []

    def test_all_pages(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers = {number: offer_row(number) for number in range(1, 8)}
        assert len(vast.offers(Query(interruptible=False))) == 7

    def test_a_server_that_ignores_the_filters(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers[4002] = offer_row(4002, num_gpus=4)
        stand_in._found = lambda search: list(stand_in.offers.values())  # type: ignore[method-assign]
        assert [one.name for one in vast.offers(Query(most=2, interruptible=False))] == ["4001"]

    @pytest.mark.parametrize("how", [Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.TOO_OFTEN, Fault.AFTER_HALF])
    def test_weather_passes(self, vast: Vast, stand_in: VastStandIn, how: Fault) -> None:
        stand_in.fail("POST", "/api/v0/bundles", how)
        assert len(vast.offers(ASKED)) == 2

    def test_an_answer_of_another_form_is_none(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in._found = lambda search: {"first": {}}  # type: ignore[method-assign, assignment, return-value]
        with pytest.raises(ProviderAway):
            vast.offers(ASKED)
