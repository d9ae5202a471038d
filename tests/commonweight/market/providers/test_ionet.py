"""io.net against its stand-in: quotes with fees, hours paid ahead, three shapes of errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from commonweight.market import errors
from commonweight.market.money import HOUR, MicroUsd
from commonweight.market.offers import Level, Offer, query_of
from commonweight.market.provider import Bootstrap, MachineState
from commonweight.market.providers.ionet import IoNet
from tests.commonweight.market.stand_ins.ionet import CAAS, IoNetStandIn, hardware
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault, standing

pytestmark = pytest.mark.integration
BOOT = Bootstrap("echo hello", "ubuntu:24.04", ports=(9000,))


@pytest.fixture
def server() -> Iterator[IoNetStandIn]:
    rows = [hardware("H100_sxm5", "H100 SXM5 80GB", 2.5), hardware(203, "RTX A6000", 0.5, 1, location="SE")]
    with standing(stand_in := IoNetStandIn(hardware=rows)):
        yield stand_in


@pytest.fixture
def ionet(server: IoNetStandIn) -> IoNet:
    return IoNet(server.url, server.key, seconds=5)


def offer_of(ionet: IoNet, gpu: str = "H100") -> Offer:
    return ionet.offers(query_of(gpu))[0]


def launch(ionet: IoNet, offer: Offer | None = None) -> tuple[str, list[str]]:
    noted: list[str] = []
    return ionet.launch(offer or offer_of(ionet), BOOT, "cw-1", noted.append), noted


def test_offers_are_whole_quotes(ionet: IoNet) -> None:
    small, large = sorted(ionet.offers(query_of()), key=lambda one: one.gpus)
    # 8 GPUs at 2.50 dollars, and a fee of 2 percent.
    assert (large.gpu, large.gpus, large.price.total, large.per_gpu) == ("H100", 8, 20_400_000, 2_550_000)
    assert (small.gpu, small.gpus, small.price.total, small.country) == ("A6000", 1, 510_000, "SE")
    assert (large.country, large.available, large.booked_seconds, large.interruptible) == ("US", 3, HOUR, False)
    assert (large.security.level, large.security.attested) == (Level.COMMUNITY, False)
    assert large.security.ground


def test_sizes_need_a_least_number(server: IoNetStandIn, ionet: IoNet) -> None:
    server.hardware[0]["min_gpus_per_container"] = 2
    server.hardware[0]["confidential_compute"] = True
    found = ionet.offers(query_of("H100"))
    assert [(one.gpus, one.price.total) for one in found] == [(2, 5_100_000), (4, 10_200_000), (8, 20_400_000)]
    assert all(one.security.attested for one in found)


def test_several_hours_are_quoted_whole(server: IoNetStandIn) -> None:
    ionet = IoNet(server.url, server.key, seconds=5, hours=3)
    server.quoted = {"total_cost_usdc": 10}
    offer = offer_of(ionet)
    assert (offer.price.total, offer.booked_seconds, ionet.facts.booked_seconds) == (3_333_334, 3 * HOUR, 3 * HOUR)
    name, _ = launch(ionet, offer)
    assert server.deployments[name].body["duration_hours"] == 3


def test_the_query_holds_for_the_quote(server: IoNetStandIn, ionet: IoNet) -> None:
    assert ionet.offers(query_of("H100", max_price=MicroUsd(2_549_999))) == []
    assert len(ionet.offers(query_of("H100", max_price=MicroUsd(2_550_000)))) == 1
    assert ionet.offers(query_of(where="DE")) == []
    assert ionet.offers(query_of(level=Level.KNOWN)) == []
    assert [one.gpu for one in ionet.offers(query_of(where="EU"))] == ["A6000"]


def test_a_discount_may_make_it_fit(server: IoNetStandIn, ionet: IoNet) -> None:
    server.quoted = {"total_cost_usdc": 8}
    assert len(ionet.offers(query_of("H100", max_price=MicroUsd(1_000_000)))) == 1


def test_bad_rows_hide_no_other(server: IoNetStandIn, ionet: IoNet, caplog: pytest.LogCaptureFixture) -> None:
    bad: list[Any] = [
        "row",
        hardware("a", "H100", "cheap"),
        hardware("b", "H100", -1),
        hardware("c", "H100", 10**9),
        hardware("d", "H100", 0),
        hardware("e", "H100", 1, None),
        hardware("f", "H100", 1, 100_000),
        hardware(None, "H100", 1),
        hardware("", "H100", 1),
        hardware("g", "", 1),
        hardware("h", "H100", 1, available="many"),
    ]
    server.hardware = [*bad, hardware("i", "H200", 1, available=0), *server.hardware]
    assert len(ionet.offers(query_of())) == 2
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == len(bad)


@pytest.mark.parametrize("quote", [None, "much", -1, 0, 10**9])
def test_an_absurd_quote_is_left_out(server: IoNetStandIn, ionet: IoNet, quote: object) -> None:
    offer = offer_of(ionet)
    server.quoted = {"total_cost_usdc": quote}
    assert ionet.offers(query_of()) == []
    with pytest.raises(errors.RequestRefused):
        launch(ionet, offer)
    assert server.launches == 0


def test_only_so_many_are_quoted(server: IoNetStandIn, ionet: IoNet, caplog: pytest.LogCaptureFixture) -> None:
    server.hardware = [hardware(f"h{n}", "H100", 50 - n) for n in range(45)]
    found = ionet.offers(query_of())
    assert (len(found), len(server.calls("GET", f"{CAAS}/price"))) == (40, 40)
    assert min(one.price.total for one in found) == 6 * 8 * 1_020_000
    assert "40 cheapest of 45" in caplog.text


def test_a_launch_books_what_was_offered(server: IoNetStandIn, ionet: IoNet) -> None:
    name, noted = launch(ionet)
    assert (noted, server.launches, list(server.rented)) == ([name], 1, [name])
    sent = server.deployments[name].body
    assert (sent["resource_private_name"], sent["hardware_id"], sent["location_ids"]) == ("cw-1", "H100_sxm5", ["US"])
    assert (sent["gpus_per_container"], sent["duration_hours"]) == (8, 1)
    assert sent["registry_config"] == {"image_url": "ubuntu:24.04"}
    box = sent["container_config"]
    assert (box["entrypoint"], box["args"], box["traffic_port"]) == (["bash", "-c"], ["echo hello"], 9000)
    assert box["env_variables"] == {"COMMONWEIGHT_TAG": "cw-1"}


def test_a_number_stays_a_number(server: IoNetStandIn, ionet: IoNet) -> None:
    name, _ = launch(ionet, offer_of(ionet, "A6000"))
    assert server.deployments[name].body["hardware_id"] == 203


def test_a_price_that_rose_is_not_paid(server: IoNetStandIn, ionet: IoNet) -> None:
    offer = offer_of(ionet)
    server.fee_percent = 3
    with pytest.raises(errors.PriceRose, match=r"20\.60") as raised:
        launch(ionet, offer)
    assert (server.launches, raised.value.sent) == (0, False)


@pytest.mark.parametrize("gone", [{"available": 0}, {"location": "CA"}, {"hardware_id": "other"}])
def test_what_is_gone_is_out_of_stock(server: IoNetStandIn, ionet: IoNet, gone: dict[str, object]) -> None:
    offer = offer_of(ionet)
    server.hardware[0] |= gone
    with pytest.raises(errors.OutOfStock) as raised:
        launch(ionet, offer)
    assert (server.launches, raised.value.sent, server.calls("POST", CAAS)) == (0, False, [])


def test_a_quote_without_replicas_is_no_stock(server: IoNetStandIn, ionet: IoNet) -> None:
    offer = offer_of(ionet)
    server.quoted = {"available_replica_count": [0]}
    assert ionet.offers(query_of()) == []
    with pytest.raises(errors.OutOfStock):
        launch(ionet, offer)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((400, {"status": "failed", "error": "Requested hardware is not available"}), errors.OutOfStock),
        ((402, {"status": "failed", "error": "Pay"}), errors.CreditShort),
        ((400, {"status": "failed", "error": "Insufficient credits"}), errors.CreditShort),
        ((422, {"detail": [{"loc": ["body"], "msg": "8 GPUs only"}]}), errors.RequestRefused),
        ((401, {"detail": "Expired"}), errors.KeyRefused),
        ((403, {"detail": "insufficient balance rights"}), errors.KeyRefused),
    ],
)
def test_refusals_have_names(
    server: IoNetStandIn, ionet: IoNet, refusal: tuple[int, Any], error: type[errors.ProviderError]
) -> None:
    offer = offer_of(ionet)
    server.refusal = refusal
    with pytest.raises(error) as raised:
        launch(ionet, offer)
    assert (type(raised.value), raised.value.sent, server.launches) == (error, False, 0)


def test_what_is_unpaid_may_be_there(server: IoNetStandIn, ionet: IoNet) -> None:
    offer = offer_of(ionet)
    server.credit = "to be paid"
    with pytest.raises(errors.CreditShort) as raised:
        launch(ionet, offer)
    (found,) = ionet.machines()
    assert (raised.value.sent, found.tag, found.state, found.detail) == (True, "cw-1", MachineState.FAILED, "unpaid")


@pytest.mark.parametrize("how", list(Fault))
def test_a_fault_makes_at_most_one(server: IoNetStandIn, how: Fault) -> None:
    server.slow_seconds = 1.5
    ionet = IoNet(server.url, server.key, seconds=1)
    offer = offer_of(ionet)
    server.fail("POST", f"{CAAS}/deploy", how)
    with pytest.raises(errors.ProviderError) as raised:
        launch(ionet, offer)
    took_effect = how in AFTER or how is Fault.SLOW
    assert server.launches == int(took_effect)
    assert raised.value.sent or not took_effect
    assert [one.tag for one in ionet.machines()] == ["cw-1"] * took_effect
    assert len(server.calls("POST", f"{CAAS}/deploy")) == 1


@pytest.mark.parametrize("body", [b"", {"status": "success"}, [], {"data": None}, {"deployment_id": 7}])
def test_an_answer_without_a_name_is_uncertain(server: IoNetStandIn, ionet: IoNet, body: object) -> None:
    offer = offer_of(ionet)
    server.refusal = (200, body)
    with pytest.raises(errors.ProviderAway) as raised:
        launch(ionet, offer)
    assert raised.value.sent


def test_nine_statuses_and_others(server: IoNetStandIn, ionet: IoNet) -> None:
    for status in ("completed", "failed", "terminated", "destroyed"):
        server.open(status)
    live = {
        "unpaid": MachineState.FAILED,
        "deployment requested": MachineState.LOADING,
        "DEPLOYMENT_REQUESTED": MachineState.LOADING,
        "deploying": MachineState.LOADING,
        "running": MachineState.RUNNING,
        "termination requested": MachineState.ENDING,
        "paused": MachineState.FAILED,
    }
    names = {server.open(status).id: state for status, state in live.items()}
    found = ionet.machines()
    assert {one.name: one.state for one in found} == names
    assert {(one.gpu, one.gpus, one.started_at) for one in found} == {("H100", 8, 1_796_040_000)}


def test_all_pages_are_read(server: IoNetStandIn, ionet: IoNet) -> None:
    names = {server.open().id for _ in range(205)}
    assert {one.name for one in ionet.machines()} == names
    assert len(server.calls("GET", f"{CAAS}/deployments")) == 3


@pytest.mark.parametrize(
    "page",
    [
        {"data": None},
        {"data": []},
        {"data": {"total": 0}},
        {"data": {"deployments": []}},
        {"data": {"deployments": [], "total": 1}},
        {"data": {"deployments": [], "total": True}},
        {"data": {"deployments": [{"id": "d", "status": "running"}], "total": 2}},
        {"data": {"deployments": [{"id": "d"}], "total": 1}},
        {"data": {"deployments": [{"status": "running"}], "total": 1}},
        {"data": {"deployments": ["d"], "total": 1}},
        {"data": {"deployments": [{"id": {}, "status": "running"}], "total": 1}},
    ],
)
def test_a_list_of_another_form_is_no_list(server: IoNetStandIn, ionet: IoNet, page: dict[str, object]) -> None:
    server.page = page
    with pytest.raises(errors.ProviderAway):
        ionet.machines()


def test_terminate_twice_is_done(server: IoNetStandIn, ionet: IoNet) -> None:
    name = server.open().id
    ionet.terminate(name)
    ionet.terminate(name)
    ionet.terminate(name)
    ionet.terminate("never")
    assert server.rented == {}


@pytest.mark.parametrize("how", [Fault.UNAVAILABLE, Fault.AFTER_CUT, Fault.CUT, Fault.HTML])
def test_terminate_is_sure_of_its_end(server: IoNetStandIn, ionet: IoNet, how: Fault) -> None:
    name = server.open().id
    server.fail("DELETE", CAAS, how)
    ionet.terminate(name)
    assert server.deployments[name].status == "termination requested"


def test_an_empty_answer_is_looked_into(server: IoNetStandIn, ionet: IoNet) -> None:
    name, server.empty_deletes = server.open().id, True
    ionet.terminate(name)
    assert len(server.calls("DELETE", CAAS)) == 1


def test_a_page_is_no_sign_of_an_end(server: IoNetStandIn, ionet: IoNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "answer", lambda _: (404, b"<html>no such host</html>"))
    monkeypatch.setattr(ionet._calls, "_budget", 0.1)
    with pytest.raises(errors.ProviderAway):
        ionet.terminate("d-0")


def test_a_name_is_never_a_path(server: IoNetStandIn, ionet: IoNet) -> None:
    for name in ("", ".", ".."):
        with pytest.raises(errors.RequestRefused):
            ionet.terminate(name)
    ionet.terminate("a/../b?c")
    assert [one.path for one in server.requests] == [f"{CAAS}/deployment/a%2F..%2Fb%3Fc"]


def test_spent_is_what_was_paid(server: IoNetStandIn, ionet: IoNet) -> None:
    assert ionet.spent(server.open(paid=20.4).id) == 20_400_000
    assert ionet.spent(server.open(paid=None).id) is None
    assert ionet.spent(server.open(paid="a lot").id) is None
    assert ionet.spent("never") is None


def test_logs_are_the_last_lines(server: IoNetStandIn, ionet: IoNet) -> None:
    name = server.open().id
    lines = b"".join(b"data: line %d\n\n" % number for number in range(250))
    server.stream = b": alive\n\n" + lines + b"event: complete\n\n"
    found = ionet.logs(name).splitlines()
    assert (len(found), found[0], found[-1]) == (200, "line 50", "line 249")
    with pytest.raises(errors.RequestRefused, match="no container"):
        ionet.logs(server.open("deploying").id)
    with pytest.raises(errors.RequestRefused):
        ionet.logs("never")


def test_a_stream_that_is_refused_has_a_name(server: IoNetStandIn, ionet: IoNet) -> None:
    name = server.open().id
    for how, error in ((Fault.UNAVAILABLE, errors.ProviderAway), (Fault.TOO_OFTEN, errors.RateLimited)):
        server.fail("GET", f"{CAAS}/deployment/{name}/log", how)
        with pytest.raises(error):
            ionet.logs(name)
    server.fail("GET", f"{CAAS}/deployment/{name}/log", Fault.CUT)
    with pytest.raises(errors.ProviderAway):
        ionet.logs(name)


def test_the_key_is_in_no_error(server: IoNetStandIn, ionet: IoNet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    offer = offer_of(ionet)
    said = []
    for how in (Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.AFTER_HALF, Fault.TOO_OFTEN):
        server.fail("POST", f"{CAAS}/deploy", how)
        with pytest.raises(errors.ProviderError) as raised:
            launch(ionet, offer)
        said.append(repr(raised.value) + str(raised.value))
    key, server.key = server.key, "another"
    for call in (ionet.machines, lambda: ionet.offers(query_of()), lambda: ionet.logs("d-0")):
        with pytest.raises(errors.KeyRefused) as refused:
            call()
        said.append(str(refused.value))
    assert key not in "".join(said) + caplog.text


def test_the_facts_promise_a_tag(ionet: IoNet) -> None:
    assert (ionet.facts.name, ionet.facts.tagged, ionet.facts.booked_seconds) == ("ionet", True, HOUR)
