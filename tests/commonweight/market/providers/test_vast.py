"""Vast.ai's machines, their ends, bills and logs, and its key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from commonweight.market.errors import (
    KeyRefused,
    ProviderAway,
    RequestRefused,
)
from commonweight.market.offers import Query
from commonweight.market.provider import MachineState
from commonweight.market.providers.vast import Vast
from tests.commonweight.market.providers.vast_account import (
    ASKED,
    BOOT,
    bid,
    fixed,
    launch,
    refused,
)
from tests.commonweight.market.stand_ins.stand_in import Fault
from tests.commonweight.market.stand_ins.vast import VastStandIn, offer_row

pytestmark = pytest.mark.integration


class TestMachines:
    def test_all_that_is_billed(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers = {number: offer_row(number) for number in range(1, 6)}
        names = [launch(vast, offer) for offer in vast.offers(Query(interruptible=False))]
        stand_in.rented[names[2]] |= {"actual_status": "exited", "label": None}
        stand_in.run(names[1])
        found = vast.machines()
        assert [one.name for one in found] == names
        assert [one.state.value for one in found] == ["loading", "running", "failed", "loading", "loading"]
        assert len(stand_in.calls("GET", "/api/v1/instances")) == 3

    def test_what_is_said_of_one(self, vast: Vast, stand_in: VastStandIn) -> None:
        name = launch(vast, fixed(vast))
        stand_in.run(name)
        (one,) = vast.machines()
        assert (one.name, one.tag, one.gpu, one.gpus) == (name, "cw-1", "4090", 1)
        assert (one.price, one.started_at, one.reach) == (380_000, 1793000000, "ssh -p 30120 root@ssh4.vast.ai")

    def test_preempted(self, vast: Vast, stand_in: VastStandIn) -> None:
        name = launch(vast, bid(vast))
        stand_in.preempt(name)
        assert [one.state for one in vast.machines()] == [MachineState.PREEMPTED]

    @pytest.mark.parametrize(
        ("actual", "state"),
        [
            (None, "loading"),
            ("rebooting", "loading"),
            ("offline", "failed"),
            ("frozen", "failed"),
            ("destroying", "ending"),
            ("a new word", "loading"),
        ],
    )
    def test_state(self, vast: Vast, stand_in: VastStandIn, actual: str | None, state: str) -> None:
        stand_in.rented[launch(vast, fixed(vast))]["actual_status"] = actual
        assert [one.state.value for one in vast.machines()] == [state]

    def test_a_price_that_cannot_be_read_hides_no_machine(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.rented[launch(vast, fixed(vast))]["dph_total"] = "dear"
        assert [one.price for one in vast.machines()] == [0]

    @pytest.mark.parametrize("changes", [{"id": None}, {"id": "x"}, {"id": 0}, {"label": ["a"]}])
    def test_a_row_that_cannot_be_read_is_no_shorter_list(
        self, vast: Vast, stand_in: VastStandIn, changes: dict[str, Any]
    ) -> None:
        name = launch(vast, fixed(vast))
        stand_in.rented[name] |= changes
        with pytest.raises(ProviderAway):
            vast.machines()

    def test_a_list_shorter_than_its_count(self, vast: Vast, stand_in: VastStandIn) -> None:
        launch(vast, fixed(vast))
        stand_in.short_of = 1
        with pytest.raises(ProviderAway, match="1 of 2"):
            vast.machines()

    @pytest.mark.parametrize(
        "body", [{}, [], {"success": False}, {"instances": None}, {"instances": [], "next_token": 5}]
    )
    def test_a_list_of_another_form(self, vast: Vast, stand_in: VastStandIn, body: Any) -> None:
        stand_in._instances = lambda request: (200, body)  # type: ignore[method-assign]
        with pytest.raises(ProviderAway):
            vast.machines()

    def test_pages_without_end(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in._instances = lambda request: (200, {"instances": [], "next_token": "again"})  # type: ignore[method-assign]
        with pytest.raises(ProviderAway, match="pages"):
            vast.machines()

    def test_a_second_page_that_stays_away(self, stand_in: VastStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("commonweight.market.calling.calls._pause", lambda state: 0.0)
        account = Vast(stand_in.url, stand_in.key)
        account._calls._budget = 0.0
        stand_in.offers = {number: offer_row(number) for number in range(1, 4)}
        for offer in account.offers(Query(interruptible=False)):
            launch(account, offer)
        whole = stand_in._instances
        stand_in._instances = lambda request: (  # type: ignore[method-assign]
            (503, {}) if "after_token" in request.query else whole(request)
        )
        with pytest.raises(ProviderAway):
            account.machines()


class TestAfterwards:
    def test_terminate_twice(self, vast: Vast, stand_in: VastStandIn) -> None:
        name = launch(vast, fixed(vast))
        vast.terminate(name)
        assert stand_in.rented == {}
        vast.terminate(name)

    @pytest.mark.parametrize("how", [Fault.AFTER_CUT, Fault.AFTER_HALF, Fault.AFTER_UNAVAILABLE, Fault.UNAVAILABLE])
    def test_terminate_in_weather(self, vast: Vast, stand_in: VastStandIn, how: Fault) -> None:
        name = launch(vast, fixed(vast))
        stand_in.fail("DELETE", "/api/v0/instances", how)
        vast.terminate(name)
        assert stand_in.rented == {}

    def test_terminate_believes_only_a_success(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in._destroy = lambda name: (200, {"success": False, "msg": "busy"})  # type: ignore[method-assign]
        with pytest.raises(ProviderAway):
            vast.terminate("5")

    @pytest.mark.parametrize("name", ["../users/current", "", "12a", "-5"])
    def test_a_name_that_is_no_number_is_not_sent(self, vast: Vast, stand_in: VastStandIn, name: str) -> None:
        for call in (vast.terminate, vast.logs, vast.spent):
            with pytest.raises(RequestRefused):
                call(name)
        assert stand_in.calls("DELETE", "/") == []

    def test_spent_over_all_pages(self, vast: Vast, stand_in: VastStandIn) -> None:
        for amount in (0.25, 1.5, 0.000001):
            stand_in.bill("77", amount)
            stand_in.bill("78", 100)
        assert vast.spent("77") == 1_750_001

    def test_spent_before_any_charge(self, vast: Vast) -> None:
        assert vast.spent("77") is None

    @pytest.mark.parametrize("amount", [-1, "one", None])
    def test_a_charge_that_cannot_be_read(self, vast: Vast, stand_in: VastStandIn, amount: Any) -> None:
        stand_in.bill("77", amount)
        with pytest.raises(ProviderAway):
            vast.spent("77")

    def test_logs(self, vast: Vast, stand_in: VastStandIn) -> None:
        name = launch(vast, fixed(vast))
        assert "step 2" in vast.logs(name)
        assert len(stand_in.calls("GET", "/log-file")) == 2

    def test_logs_of_none(self, vast: Vast) -> None:
        with pytest.raises(RequestRefused):
            vast.logs("5")

    @pytest.mark.parametrize("address", ["http://169.254.169.254/x", "file:///etc/hostname", 5])
    def test_logs_at_an_address_that_is_not_asked(self, vast: Vast, stand_in: VastStandIn, address: Any) -> None:
        stand_in._logs = lambda name: (200, {"result_url": address})  # type: ignore[method-assign]
        with pytest.raises(ProviderAway, match=r"not asked|no file"):
            vast.logs("5")


def test_the_key_is_in_no_error(stand_in: VastStandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account = Vast(stand_in.url, "wrong-key-3141")
    offer = fixed(Vast(stand_in.url, stand_in.key))
    calls: list[Callable[[], object]] = [
        lambda: account.offers(ASKED),
        lambda: account.launch(offer, BOOT, "t", print),
        account.machines,
        lambda: account.terminate("5"),
        lambda: account.spent("5"),
        lambda: account.logs("5"),
    ]
    for call in calls:
        with pytest.raises(KeyRefused) as caught:
            call()
        assert "3141" not in f"{caught.value} {caught.value!r} {account!r}"
    assert "3141" not in caplog.text
    assert stand_in.key not in caplog.text


def test_a_key_that_expires(vast: Vast, stand_in: VastStandIn) -> None:
    offer = fixed(vast)
    stand_in.key = "another"
    refused(vast, offer, KeyRefused)
    assert stand_in.launches == 0


def test_facts(vast: Vast) -> None:
    assert (vast.facts.name, vast.facts.tagged) == ("vast", True)
