"""Lambda Cloud's adapter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commonweight.market.errors import (
    KeyRefused,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from commonweight.market.offers import Level, Offer, Query
from commonweight.market.provider import Bootstrap
from commonweight.market.providers.lambda_cloud import LambdaCloud
from tests.commonweight.market.stand_ins.lambda_cloud import LambdaStandIn, error, type_row
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault, standing

pytestmark = pytest.mark.integration

BOOT = Bootstrap("#!/bin/bash\necho hello\n", "no image", "ssh-ed25519 AAAAC3 me")
LAUNCH = "/api/v1/instance-operations/launch"
VIRGINIA = "gpu_8x_h100_sxm5/us-east-1"


@pytest.fixture
def stand_in() -> Iterator[LambdaStandIn]:
    """A Lambda Cloud with H100s in two regions."""
    server = LambdaStandIn()
    with standing(server):
        yield server


@pytest.fixture
def account(stand_in: LambdaStandIn, monkeypatch: pytest.MonkeyPatch) -> LambdaCloud:
    """An account there that waits for nothing."""
    monkeypatch.setattr("commonweight.market.calling.calls._pause", lambda state: 0.0)
    return LambdaCloud(stand_in.url, stand_in.key, seconds=5.0, paced=False)


def offer_of(account: LambdaCloud, name: str = VIRGINIA) -> Offer:
    """The offer of that name."""
    return next(offer for offer in account.offers(Query()) if offer.name == name)


def launch(account: LambdaCloud, offer: Offer, boot: Bootstrap = BOOT, tag: str = "cw-1") -> str:
    """A rental whose name was noted."""
    names: list[str] = []
    name = account.launch(offer, boot, tag, names.append)
    assert names == [name]
    return name


def refused(account: LambdaCloud, offer: Offer, kind: type[ProviderError]) -> ProviderError:
    """The launch's error, which must be of this kind and note nothing."""
    with pytest.raises(kind) as caught:
        account.launch(offer, BOOT, "cw-1", lambda name: pytest.fail("noted"))
    return caught.value


class TestOffers:
    def test_each_type_in_each_region_that_has_some(self, account: LambdaCloud) -> None:
        assert [(one.name, one.country) for one in account.offers(Query())] == [
            (VIRGINIA, "US"),
            ("gpu_8x_h100_sxm5/asia-northeast-1", "JP"),
        ]

    def test_what_is_said_of_one(self, account: LambdaCloud) -> None:
        one = offer_of(account)
        assert (one.gpu, one.gpus, one.gpu_memory_gb, one.variant) == ("H100", 8, 80, "H100 (80 GB SXM5)")
        assert (one.price.machine, one.price.total, one.per_gpu) == (23_920_000, 23_920_000, 2_990_000)
        assert (one.security.level, one.interruptible, one.disk_gb) == (Level.DATACENTER, False, 512)
        assert (one.cpus, one.memory_gb, one.link, one.booked_seconds) == (26, 200, "NVLink", 1)

    @pytest.mark.parametrize(
        ("name", "described", "gpu"),
        [
            ("gpu_1x_a10", "A10 (24 GB PCIe)", "A10"),
            ("gpu_1x_gh200", "GH200 (96 GB)", "GH200"),
            ("gpu_8x_v100_n", "Tesla V100 (16 GB)", "V100"),
            ("gpu_1x_rtx6000", "RTX 6000 (24 GB)", "RTX6000"),
            ("gpu_1x_b200_sxm6", "B200 (180 GB SXM6)", "B200"),
            ("gpu_1x_a6000", "", "A6000"),
            ("gpu_1x_x9", "X9 (1 GB)", "X9"),
        ],
    )
    def test_gpu(self, account: LambdaCloud, stand_in: LambdaStandIn, name: str, described: str, gpu: str) -> None:
        stand_in.types = {name: type_row(name, described, 75, 1, {"name": "us-west-1", "description": ""})}
        (one,) = account.offers(Query())
        assert (one.gpu, one.country, one.place) == (gpu, "US", "us-west-1")

    @pytest.mark.parametrize("cents", ["75 cents", -1, 0, None, True, 100_000_001])
    def test_a_bad_price_hides_no_other(
        self, account: LambdaCloud, stand_in: LambdaStandIn, cents: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        region = {"name": "us-west-1", "description": "California, USA"}
        stand_in.types["gpu_1x_a10"] = type_row("gpu_1x_a10", "A10 (24 GB PCIe)", cents, 1, region)
        assert [one.gpu for one in account.offers(Query())] == ["H100", "H100"]
        assert "left out" in caplog.text

    def test_bad_rows_hide_no_other(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        bad = [5, {}, {"instance_type": {}}, {"instance_type": {"specs": {"gpus": 1}}}]
        stand_in.types |= {f"bad{n}": row for n, row in enumerate(bad)}  # type: ignore[misc]
        stand_in.types["gpu_1x_a10"]["regions_with_capacity_available"] = ["us-west-1"]
        assert len(account.offers(Query())) == 2

    def test_the_query_filters(self, account: LambdaCloud) -> None:
        assert account.offers(Query(most=4)) == []
        assert account.offers(Query(disk_gb=513)) == []
        assert len(account.offers(Query(countries=frozenset({"JP"})))) == 1

    @pytest.mark.parametrize("how", [Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.TOO_OFTEN, Fault.AFTER_HALF])
    def test_weather_passes(self, account: LambdaCloud, stand_in: LambdaStandIn, how: Fault) -> None:
        stand_in.fail("GET", "/api/v1/instance-types", how)
        assert len(account.offers(Query())) == 2


class TestLaunch:
    def test_order(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        name = launch(account, offer_of(account))
        row = stand_in.rented[name]
        assert (row["name"], row["tags"]) == ("cw-1", [{"key": "commonweight", "value": "cw-1"}])
        assert (row["region"]["name"], row["user_data"]) == ("us-east-1", BOOT.script)

    def test_a_script_without_a_shell_gets_one(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        name = launch(account, offer_of(account), Bootstrap("echo", "", BOOT.public_key))
        assert stand_in.rented[name]["user_data"] == "#!/bin/sh\necho"

    def test_a_long_tag_is_whole_in_the_list(self, account: LambdaCloud) -> None:
        launch(account, offer_of(account), tag="t" * 80)
        assert [one.tag for one in account.machines()] == ["t" * 80]

    def test_the_key_is_registered_once(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        offer = offer_of(account)
        launch(account, offer)
        launch(account, offer)
        assert [key["public_key"] for key in stand_in.ssh_keys] == [BOOT.public_key]

    def test_a_key_that_is_there_under_another_name(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        stand_in.ssh_keys.append({"id": "k", "name": "mine", "public_key": "ssh-ed25519 AAAAC3 other words"})
        name = launch(account, offer_of(account))
        assert stand_in.rented[name]["ssh_key_names"] == ["mine"]

    def test_without_a_key_the_account_s_own(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        offer, boot = offer_of(account), Bootstrap("#!/bin/sh", "")
        with pytest.raises(RequestRefused, match="SSH key"):
            launch(account, offer, boot)
        stand_in.ssh_keys.append({"id": "k", "name": "mine", "public_key": "ssh-rsa AAAA"})
        name = launch(account, offer, boot)
        assert stand_in.rented[name]["ssh_key_names"] == ["mine"]

    def test_a_price_that_rose(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        offer = offer_of(account)
        stand_in.types["gpu_8x_h100_sxm5"]["instance_type"]["price_cents_per_hour"] = 2393
        assert refused(account, offer, PriceRose).sent is False
        assert stand_in.calls("POST", LAUNCH) == []

    def test_a_region_that_has_none_left(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        offer = offer_of(account)
        stand_in.types["gpu_8x_h100_sxm5"]["regions_with_capacity_available"].pop(0)
        assert refused(account, offer, OutOfStock).sent is False

    def test_a_script_that_is_too_long(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        with pytest.raises(RequestRefused, match="bytes"):
            launch(account, offer_of(account), Bootstrap("#" * 1_000_001, "", BOOT.public_key))
        assert stand_in.launches == 0

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (400, "instance-operations/launch/insufficient-capacity", OutOfStock),
            (400, "global/quota-exceeded", RequestRefused),
            (400, "global/invalid-parameters", RequestRefused),
            (403, "global/account-inactive", KeyRefused),
            (403, "global/invalid-address", RequestRefused),
            (403, "something-new", KeyRefused),
            (401, "global/invalid-api-key", KeyRefused),
            (404, "global/object-does-not-exist", RequestRefused),
            (429, "global/too-many-requests", RateLimited),
        ],
    )
    def test_refusal(
        self, account: LambdaCloud, stand_in: LambdaStandIn, status: int, code: str, kind: type[ProviderError]
    ) -> None:
        offer = offer_of(account)
        stand_in._launch = lambda body: (status, error(code, "No."))  # type: ignore[method-assign]
        assert refused(account, offer, kind).sent is False
        assert len(stand_in.calls("POST", LAUNCH)) == 1

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, {}),
            (200, {"data": {"instance_ids": []}}),
            (200, {"data": {"instance_ids": [5]}}),
            (200, ["x"]),
            (500, error("global/internal-error", "An internal error occurred.")),
            (503, error("instance-operations/launch/insufficient-capacity", "Not enough capacity.")),
        ],
    )
    def test_an_answer_that_says_nothing(
        self, account: LambdaCloud, stand_in: LambdaStandIn, status: int, body: Any
    ) -> None:
        offer = offer_of(account)
        stand_in._launch = lambda order: (status, body)  # type: ignore[method-assign,assignment]
        assert refused(account, offer, ProviderAway).sent is True

    @pytest.mark.parametrize("how", list(Fault))
    def test_sent_once(self, stand_in: LambdaStandIn, how: Fault) -> None:
        impatient = LambdaCloud(stand_in.url, stand_in.key, seconds=0.3 if how is Fault.SLOW else 5.0, paced=False)
        offer = offer_of(impatient)
        stand_in.fail("POST", LAUNCH, how)
        with pytest.raises(ProviderError) as caught:
            launch(impatient, offer)
        assert len(stand_in.calls("POST", LAUNCH)) == 1
        if how in AFTER or how is Fault.SLOW:
            assert (caught.value.sent, stand_in.launches) == (True, 1)
            assert [one.tag for one in impatient.machines()] == ["cw-1"]
        else:
            assert stand_in.launches == 0

    @pytest.mark.parametrize("how", [Fault.AFTER_CUT, Fault.AFTER_HALF, Fault.UNAVAILABLE])
    def test_trouble_with_the_key_has_launched_none(
        self, account: LambdaCloud, stand_in: LambdaStandIn, how: Fault
    ) -> None:
        offer = offer_of(account)
        stand_in.fail("POST", "/api/v1/ssh-keys", how)
        assert refused(account, offer, ProviderAway).sent is False
        assert launch(account, offer) in stand_in.rented
        assert len(stand_in.ssh_keys) == 1


class TestMachines:
    @pytest.mark.parametrize(
        ("status", "states"),
        [
            ("active", ["running"]),
            ("booting", ["loading"]),
            ("unhealthy", ["failed"]),
            ("terminating", ["ending"]),
            ("preempted", ["preempted"]),
            ("terminated", []),
            ("a new word", ["loading"]),
        ],
    )
    def test_state(self, account: LambdaCloud, stand_in: LambdaStandIn, status: str, states: list[str]) -> None:
        stand_in.held[launch(account, offer_of(account))]["status"] = status
        assert [one.state.value for one in account.machines()] == states

    def test_what_is_said_of_one(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        name = launch(account, offer_of(account))
        stand_in.held[name]["ip"] = "192.0.2.7"
        (one,) = account.machines()
        assert (one.name, one.tag, one.gpu, one.gpus) == (name, "cw-1", "H100", 8)
        assert (one.price, one.reach) == (23_920_000, "ssh ubuntu@192.0.2.7")

    def test_a_machine_that_somebody_named_elsewhere(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        stand_in.held["x"] = {"id": "x", "status": "active", "name": "by hand", "instance_type": None}
        (one,) = account.machines()
        assert (one.name, one.tag, one.price) == ("x", "by hand", 0)

    @pytest.mark.parametrize("changes", [{"id": None}, {"status": None}, {"id": {}}, {"instance_type": "gpu"}])
    def test_a_row_that_cannot_be_read_is_no_shorter_list(
        self, account: LambdaCloud, stand_in: LambdaStandIn, changes: dict[str, Any]
    ) -> None:
        stand_in.held[launch(account, offer_of(account))] |= changes
        with pytest.raises(ProviderAway):
            account.machines()

    @pytest.mark.parametrize("how", [Fault.CUT, Fault.AFTER_HALF, Fault.HTML, Fault.UNAVAILABLE])
    def test_a_list_that_does_not_come(self, account: LambdaCloud, stand_in: LambdaStandIn, how: Fault) -> None:
        account._calls._budget = 0.0
        stand_in.fail("GET", "/api/v1/instances", how)
        with pytest.raises(ProviderAway):
            account.machines()

    @pytest.mark.parametrize("body", [{}, [], {"data": None}, {"data": {"a": 1}}])
    def test_a_list_of_another_form(self, account: LambdaCloud, stand_in: LambdaStandIn, body: Any) -> None:
        stand_in.answer = lambda request: (200, body)  # type: ignore[method-assign]
        with pytest.raises(ProviderAway):
            account.machines()


class TestAfterwards:
    def test_terminate_twice(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        name = launch(account, offer_of(account))
        account.terminate(name)
        assert stand_in.rented == {}
        account.terminate(name)

    @pytest.mark.parametrize("how", [Fault.AFTER_CUT, Fault.AFTER_HALF, Fault.AFTER_UNAVAILABLE, Fault.UNAVAILABLE])
    def test_terminate_in_weather(self, account: LambdaCloud, stand_in: LambdaStandIn, how: Fault) -> None:
        name = launch(account, offer_of(account))
        stand_in.fail("POST", "/api/v1/instance-operations/terminate", how)
        account.terminate(name)
        assert stand_in.rented == {}

    def test_terminate_believes_only_its_own_name(self, account: LambdaCloud, stand_in: LambdaStandIn) -> None:
        stand_in._terminate = lambda names: (200, {"data": {"terminated_instances": []}})  # type: ignore[method-assign]
        with pytest.raises(ProviderAway):
            account.terminate("x")

    def test_no_bills_and_no_logs(self, account: LambdaCloud) -> None:
        assert account.spent("x") is None
        with pytest.raises(RequestRefused, match="no logs"):
            account.logs("x")


def test_the_key_is_in_no_error(stand_in: LambdaStandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    offer = offer_of(LambdaCloud(stand_in.url, stand_in.key, paced=False))
    wrong = LambdaCloud(stand_in.url, "wrong-key-3141", paced=False)
    calls: list[Callable[[], object]] = [
        lambda: wrong.offers(Query()),
        lambda: wrong.launch(offer, BOOT, "t", print),
        wrong.machines,
        lambda: wrong.terminate("5"),
    ]
    for call in calls:
        with pytest.raises(KeyRefused) as caught:
            call()
        assert "3141" not in f"{caught.value} {caught.value!r} {wrong!r}"
    assert "3141" not in caplog.text
    assert stand_in.key not in caplog.text


def test_a_key_that_expires(account: LambdaCloud, stand_in: LambdaStandIn) -> None:
    offer = offer_of(account)
    stand_in.key = "another"
    refused(account, offer, KeyRefused)
    assert stand_in.launches == 0


def test_calls_and_launches_are_paced(stand_in: LambdaStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every try of a call counts, and so does every launch."""
    monkeypatch.setattr("commonweight.market.calling.calls._pause", lambda state: 0.0)
    account = LambdaCloud(stand_in.url, stand_in.key)
    calls, launches = account._calls.pacing, account._launches
    assert (calls._seconds, launches._seconds) == (1.0, 12.0)
    waited: list[str] = []
    monkeypatch.setattr(calls, "wait", lambda: waited.append("call"))
    monkeypatch.setattr(launches, "wait", lambda: waited.append("launch"))
    stand_in.fail("GET", "/api/v1/instance-types", Fault.UNAVAILABLE)
    offer = offer_of(account)
    launch(account, offer)
    assert waited == ["call"] * 5 + ["launch", "call"]
    assert len(stand_in.requests) == 6
