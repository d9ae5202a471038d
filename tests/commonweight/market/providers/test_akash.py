"""Akash against its stand-in: statistics as offers, launches of three calls, deposits that are not forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from commonweight.market import errors
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Level, Offer, OfferKind, query_of
from commonweight.market.provider import Bootstrap, MachineState
from commonweight.market.providers.akash import Akash
from tests.commonweight.market.stand_ins.akash import USDC, AkashStandIn, Bidder, model
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault, standing

pytestmark = pytest.mark.integration
BOOT = Bootstrap("echo 'hello: \"there\"'\nsleep 1", "ubuntu:24.04", ports=(9000,))
KINDS = frozenset(OfferKind)


@pytest.fixture
def server() -> Iterator[AkashStandIn]:
    stand_in = AkashStandIn(
        models=[model("h100", 2.5)], bidders=[Bidder("akash1dear", "3600"), Bidder("akash1p", "3500")]
    )
    with standing(stand_in):
        yield stand_in


@pytest.fixture
def akash(server: AkashStandIn) -> Akash:
    return Akash(server.url, server.key, seconds=5, bid_seconds=1.0, poll_seconds=0.01)


def offer_of(akash: Akash) -> Offer:
    return akash.offers(query_of("H100", "1", kinds=KINDS))[0]


def launch(akash: Akash, offer: Offer | None = None) -> tuple[str, list[str]]:
    noted: list[str] = []
    return akash.launch(offer or offer_of(akash), BOOT, "cw-1", noted.append), noted


def test_offers_are_statistics(akash: Akash) -> None:
    one, two = akash.offers(query_of("H100", "1-3", kinds=KINDS))
    assert one.kind is OfferKind.STATISTICS
    assert (one.gpu, one.gpus, one.gpu_memory_gb, one.available) == ("H100", 1, 80, 4)
    assert (one.price.total, two.price.total, two.gpus) == (2_500_000, 5_000_000, 2)
    assert (one.variant, one.country, one.disk_gb) == ("80Gi SXM5", "", 50)
    assert one.security.level is Level.COMMUNITY
    assert one.security.ground


def test_an_odd_count_is_offered_too(akash: Akash) -> None:
    assert [(one.gpus, one.per_gpu) for one in akash.offers(query_of(count="3", kinds=KINDS))] == [(3, 2_500_000)]


def test_nothing_is_a_live_offer(akash: Akash) -> None:
    assert akash.offers(query_of("H100")) == []


def test_a_query_that_nothing_fits_has_no_offers(akash: Akash) -> None:
    for query in (
        query_of("4090", kinds=KINDS),
        query_of(where="DE", kinds=KINDS),
        query_of(level=Level.DATACENTER, kinds=KINDS),
        query_of(max_price=MicroUsd(2_499_999), kinds=KINDS),
        query_of(count="8", kinds=KINDS),
    ):
        assert akash.offers(query) == []


def test_bad_rows_hide_no_other(server: AkashStandIn, akash: Akash, caplog: pytest.LogCaptureFixture) -> None:
    bad: list[Any] = [
        "row",
        model("h100", "2.5 dollars"),
        model("h100", -1),
        model("h100", 10**9),
        model("h100", 0),
        model("h100", 1, "many"),
        model("h100", 1, availability=None),
        model("h100", 1) | {"price": {"currency": "uakt", "min": 1}},
        model("a/b", 1),
        model("", 1),
    ]
    server.models = [*bad, model("h200", None), model("h200", 3, 0), *server.models]
    assert [one.gpu for one in akash.offers(query_of(count="1", kinds=KINDS))] == ["H100"]
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == len(bad)


def test_a_launch_takes_the_cheapest_bid(server: AkashStandIn, akash: Akash) -> None:
    server.bidders = [
        Bidder("akash1dear", "3600"),
        Bidder("akash1akt", "1", "uakt"),
        Bidder("akash1late", "3000.5", USDC, after=2),
    ]
    name, noted = launch(akash)
    assert noted == [name]
    assert (server.launches, list(server.rented)) == (1, [name])
    assert server.rented[name].leases[0]["id"]["provider"] == "akash1late"


def test_the_deployment_says_what_was_asked(server: AkashStandIn, akash: Akash) -> None:
    name, _ = launch(akash)
    asked = server.deployments[name].sdl
    node = asked["services"]["node"]
    assert (node["image"], node["command"], node["args"]) == (BOOT.image, ["bash", "-c"], [BOOT.script])
    assert node["env"] == ["COMMONWEIGHT_TAG=cw-1"]
    assert node["expose"] == [{"port": 9000, "as": 9000, "to": [{"global": True}]}]
    has = asked["profiles"]["compute"]["node"]["resources"]
    wanted = {"model": "h100", "ram": "80Gi", "interface": "sxm"}
    assert has["gpu"] == {"units": 1, "attributes": {"vendor": {"nvidia": [wanted]}}}
    assert (has["cpu"], has["memory"], has["storage"]) == ({"units": 4}, {"size": "24Gi"}, [{"size": "50Gi"}])
    # 2.5 dollars an hour, in blocks of 6.098 seconds: 4234.7 millionths.
    assert asked["profiles"]["placement"]["akash"]["pricing"] == {"node": {"denom": "uact", "amount": 4234}}


@pytest.mark.parametrize(
    ("bidders", "error"),
    [
        ([], errors.OutOfStock),
        ([Bidder("akash1p", "100", "uakt")], errors.OutOfStock),
        ([Bidder("akash1p", "4235")], errors.PriceRose),
        ([Bidder("akash1p", "3000", takes_back=True)], errors.OutOfStock),
        ([Bidder("akash1p", "cheap")], errors.OutOfStock),
        ([Bidder("akash1p", "-1")], errors.OutOfStock),
        ([Bidder("akash1p", "9" * 30)], errors.OutOfStock),
    ],
)
def test_without_a_lease_it_is_closed(
    server: AkashStandIn, akash: Akash, bidders: list[Bidder], error: type[errors.ProviderError]
) -> None:
    server.bidders, server.heeds_ceiling = bidders, False
    with pytest.raises(error) as raised:
        launch(akash)
    assert (server.launches, server.rented, raised.value.sent) == (1, {}, False)


def test_a_bid_at_the_ceiling_is_taken(server: AkashStandIn, akash: Akash) -> None:
    server.bidders = [Bidder("akash1p", "4234")]
    assert launch(akash)[0] in server.rented


def test_what_cannot_be_closed_is_said(server: AkashStandIn, akash: Akash) -> None:
    server.bidders, server.refuses_to_close = [], True
    with pytest.raises(errors.ProviderAway) as raised:
        launch(akash)
    assert raised.value.sent
    assert next(iter(server.rented)) in raised.value.detail


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_a_launch_that_is_cut_leaves_nothing(server: AkashStandIn, akash: Akash, stop: type[BaseException]) -> None:
    def noted(_: str) -> None:
        raise stop

    with pytest.raises(stop):
        akash.launch(offer_of(akash), BOOT, "cw-1", noted)
    assert server.rented == {}


def test_a_refused_transaction_is_an_error(server: AkashStandIn, akash: Akash) -> None:
    server.chain_code = 11
    with pytest.raises(errors.RequestRefused, match="out of gas") as raised:
        launch(akash)
    assert not raised.value.sent


@pytest.mark.parametrize("how", list(Fault))
def test_a_fault_of_the_deployment_makes_at_most_one(server: AkashStandIn, how: Fault) -> None:
    server.slow_seconds = 1.5
    akash = Akash(server.url, server.key, seconds=1, bid_seconds=0.2, poll_seconds=0.01)
    offer = offer_of(akash)
    server.fail("POST", "/v1/deployments", how)
    with pytest.raises(errors.ProviderError) as raised:
        launch(akash, offer)
    took_effect = how in AFTER or how is Fault.SLOW
    assert server.launches == int(took_effect)
    assert raised.value.sent or not took_effect
    assert len(server.calls("POST", "/v1/deployments")) == 1


@pytest.mark.parametrize("how", [how for how in Fault if how is not Fault.SLOW])
def test_a_fault_of_the_lease_leaves_nothing(server: AkashStandIn, akash: Akash, how: Fault) -> None:
    offer = offer_of(akash)
    server.fail("POST", "/v1/leases", how)
    with pytest.raises(errors.ProviderError) as raised:
        launch(akash, offer)
    assert (server.launches, server.rented, raised.value.sent) == (1, {}, False)
    assert len(server.calls("POST", "/v1/leases")) == 1


def test_bids_are_read_through_weather(server: AkashStandIn, akash: Akash) -> None:
    server.fail("GET", "/v1/bids", Fault.UNAVAILABLE)
    assert launch(akash)[0] in server.rented


def test_short_credit_and_bad_keys_have_names(server: AkashStandIn, akash: Akash) -> None:
    offer = offer_of(akash)
    server.credit = False
    with pytest.raises(errors.CreditShort, match="Insufficient balance") as short:
        launch(akash, offer)
    server.key = "another"
    for call in (akash.machines, lambda: launch(akash, offer), lambda: akash.spent("1")):
        with pytest.raises(errors.KeyRefused):
            call()
    assert (short.value.sent, server.launches) == (False, 0)


def test_an_offer_of_somebody_else_is_out_of_stock(server: AkashStandIn, akash: Akash) -> None:
    server.models[0]["model"] = "h200"
    offer = akash.offers(query_of(count="1", kinds=KINDS))[0]
    object.__setattr__(offer, "name", "12345")
    with pytest.raises(errors.OutOfStock):
        launch(akash, offer)
    assert server.launches == 0


def test_machines_are_those_that_hold_money(server: AkashStandIn, akash: Akash) -> None:
    running, waiting, ended, closed = (server.open(leases=n) for n in (1, 0, 1, 1))
    ended.leases[0]["state"] = "closed"
    closed.state = "closed"
    found = {one.name: one for one in akash.machines()}
    assert {name: one.state for name, one in found.items()} == {
        running.dseq: MachineState.RUNNING,
        waiting.dseq: MachineState.LOADING,
        ended.dseq: MachineState.FAILED,
    }
    # 2000 millionths a block, in blocks of 6.098 seconds.
    assert found[running.dseq].price == 1_180_715
    assert "deposit" in found[waiting.dseq].detail


def test_a_state_that_is_unknown_may_cost(server: AkashStandIn, akash: Akash) -> None:
    server.open().state = "paused"
    assert len(akash.machines()) == 1


def test_a_price_in_akt_is_not_said(server: AkashStandIn, akash: Akash) -> None:
    server.open().leases[0]["price"]["denom"] = "uakt"
    assert [one.price for one in akash.machines()] == [0]


def test_all_pages_are_read(server: AkashStandIn, akash: Akash) -> None:
    names = {server.open().dseq for _ in range(205)}
    assert {one.name for one in akash.machines()} == names
    assert len(server.calls("GET", "/v1/deployments")) == 3


@pytest.mark.parametrize(
    "page",
    [
        {"data": None},
        {"data": {"deployments": None, "pagination": {"total": 0, "hasMore": False}}},
        {"data": {"deployments": [], "pagination": {"total": 2, "hasMore": False}}},
        {"data": {"deployments": [], "pagination": {"total": 2, "hasMore": True}}},
        {"data": {"deployments": [], "pagination": {"total": 0}}},
        {"data": {"deployments": [], "pagination": {"hasMore": False}}},
        {"data": {"deployments": [{}], "pagination": {"total": 1, "hasMore": False}}},
        {"data": {"deployments": [7], "pagination": {"total": 1, "hasMore": False}}},
    ],
)
def test_a_list_of_another_form_is_no_list(server: AkashStandIn, akash: Akash, page: dict[str, object]) -> None:
    server.page = page
    with pytest.raises(errors.ProviderAway):
        akash.machines()


def test_a_list_without_end_is_left(server: AkashStandIn, akash: Akash) -> None:
    server.open()
    rows = {"deployments": [akash_row(server)], "pagination": {"total": 1, "hasMore": True}}
    server.page = {"data": rows}
    with pytest.raises(errors.ProviderAway, match="no end"):
        akash.machines()


def akash_row(server: AkashStandIn) -> object:
    name = next(iter(server.rented))
    status, body = server._one("GET", name)
    assert status == 200
    return body["data"]


def test_terminate_twice_is_done(server: AkashStandIn, akash: Akash) -> None:
    name = server.open().dseq
    server.fail("DELETE", "/v1/deployments", Fault.AFTER_UNAVAILABLE)
    akash.terminate(name)
    akash.terminate(name)
    akash.terminate("999")
    assert server.rented == {}


def test_a_page_is_no_sign_of_an_end(server: AkashStandIn, akash: Akash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "answer", lambda _: (404, b"<html>no such host</html>"))
    monkeypatch.setattr(akash._calls, "_budget", 0.1)
    with pytest.raises(errors.ProviderAway):
        akash.terminate("22000000")


def test_a_name_is_never_a_path(server: AkashStandIn, akash: Akash) -> None:
    with pytest.raises(errors.RequestRefused):
        akash.terminate("1/../2")
    assert server.requests == []


def test_spent_is_what_the_escrow_paid(server: AkashStandIn, akash: Akash) -> None:
    found = server.open()
    assert akash.spent(found.dseq) == 0
    found.transferred = [{"denom": "uact", "amount": "1500.25"}, {"denom": USDC, "amount": "10.000"}]
    assert akash.spent(found.dseq) == 1511
    found.transferred = [{"denom": "uakt", "amount": "5"}]
    assert akash.spent(found.dseq) is None
    assert akash.spent("999") is None


def test_there_are_no_logs(akash: Akash) -> None:
    with pytest.raises(errors.RequestRefused, match="no logs"):
        akash.logs("1")


def test_the_key_is_in_no_error(server: AkashStandIn, akash: Akash, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    offer = offer_of(akash)
    said = []
    for how in (Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.AFTER_HALF, Fault.TOO_OFTEN):
        server.fail("POST", "/v1/deployments", how)
        with pytest.raises(errors.ProviderError) as raised:
            launch(akash, offer)
        said.append(repr(raised.value) + str(raised.value))
    key, server.key = server.key, "another"
    with pytest.raises(errors.KeyRefused) as refused:
        akash.machines()
    said.append(str(refused.value))
    assert key not in "".join(said) + caplog.text


def test_the_facts_promise_no_tag(akash: Akash) -> None:
    assert (akash.facts.name, akash.facts.tagged, akash.facts.booked_seconds) == ("akash", False, 1)
