"""A dstack server: offers of its clouds, one run for a launch, and everything that is billed in the list."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commonweight.market.errors import (
    BadQuery,
    CreditShort,
    KeyRefused,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Level, Offer, Query
from commonweight.market.provider import Bootstrap, MachineState
from commonweight.market.providers.dstack import Dstack
from tests.commonweight.market.stand_ins.dstack import KEY, PROJECT, START, DstackStandIn, offer
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault, standing

pytestmark = pytest.mark.integration
TAG = "cw-5fe1-0a1b2c3d4e"
SCRIPT = "set -eu\necho 'two words' $HOME &\nsleep 1"
BOOTSTRAP = Bootstrap(SCRIPT, "pytorch/pytorch", "ssh-ed25519 AAAA me", (8000,))
APPLY = f"/api/project/{PROJECT}/runs/apply"
RUNS = "/api/runs/list"


@pytest.fixture
def server() -> Iterator[DstackStandIn]:
    """With one H100 on offer."""
    with standing(DstackStandIn()) as stand_in:
        assert isinstance(stand_in, DstackStandIn)
        yield stand_in


@pytest.fixture
def dstack(server: DstackStandIn, monkeypatch: pytest.MonkeyPatch) -> Dstack:
    """The adapter, which reads once."""
    server.slow_seconds = 6.0
    adapter = Dstack(server.url, KEY, PROJECT, seconds=3.0)
    monkeypatch.setattr(adapter._calls, "_budget", 0.0)
    return adapter


@pytest.fixture
def patient(server: DstackStandIn) -> Dstack:
    """The adapter, which reads again through weather."""
    server.slow_seconds = 6.0
    return Dstack(server.url, KEY, PROJECT, seconds=3.0)


def the_offer(dstack: Dstack) -> Offer:
    """The only one."""
    (found,) = dstack.offers(Query())
    return found


def launch(dstack: Dstack, found: Offer, tag: str = TAG) -> list[str]:
    """Names as they were noted."""
    noted: list[str] = []
    assert dstack.launch(found, BOOTSTRAP, tag, noted.append) == tag
    return noted


# -- offers ------------------------------------------------------------------------------------------------------------


def test_an_offer_has_all_that_the_server_says(dstack: Dstack) -> None:
    found = the_offer(dstack)
    assert (found.provider, found.name) == ("dstack", "nebius/eu-north1/on-demand/1xH100/gpu-h100-sxm")
    assert (found.gpu, found.gpus, found.gpu_memory_gb, found.variant) == ("H100", 1, 80, "H100")
    assert (found.price.machine, found.price.total) == (2_500_000, 2_500_000)
    assert (found.country, found.place) == ("FI", "nebius eu-north1")
    assert (found.cpus, found.memory_gb, found.disk_gb) == (16, 200, 100)
    assert (found.security.level, found.security.ground) == (Level.DATACENTER, "Nebius runs its own data centres")
    assert not found.interruptible


def test_a_float_of_the_server_is_read_exactly(server: DstackStandIn, dstack: Dstack) -> None:
    server.offers = [offer(0.1 + 0.2), offer(1.1, name="b")]
    assert sorted(found.price.total for found in dstack.offers(Query())) == [300_001, 1_100_000]


def test_offers_that_cannot_be_had_are_left_out(server: DstackStandIn, dstack: Dstack) -> None:
    states = ("available", "unknown", "idle", "busy", "not_available", "no_quota", "no_balance")
    server.offers = [offer(name=state, availability=state) for state in states]
    assert {found.name.rpartition("/")[2] for found in dstack.offers(Query())} == {"available", "unknown", "idle"}


def test_spot_is_interruptible_and_another_offer(server: DstackStandIn, dstack: Dstack) -> None:
    server.offers = [offer(), offer(1.0, spot=True)]
    by_name = {found.name: found.interruptible for found in dstack.offers(Query())}
    assert by_name == {
        "nebius/eu-north1/on-demand/1xH100/gpu-h100-sxm": False,
        "nebius/eu-north1/spot/1xH100/gpu-h100-sxm": True,
    }
    assert len(dstack.offers(Query(interruptible=False))) == 1


def test_one_machine_in_several_zones_is_one_offer(server: DstackStandIn, dstack: Dstack) -> None:
    server.offers = [offer(3.0), offer(2.0), offer(4.0)]
    assert the_offer(dstack).price.total == 2_000_000


def test_the_query_filters_here_too(server: DstackStandIn, dstack: Dstack) -> None:
    rows = [offer(), offer(0.5, gpu="RTX4090", memory=24, backend="vastai", region="SE", name="m1"), offer(20, gpus=8)]
    server.canned[f"/api/project/{PROJECT}/runs/get_plan"] = [
        {"job_plans": [{"offers": rows, "total_offers": 3}]} for _ in range(4)
    ]
    assert [found.gpu for found in dstack.offers(Query(frozenset({"4090"})))] == ["4090"]
    assert [found.gpus for found in dstack.offers(Query(least=8))] == [8]
    assert [found.country for found in dstack.offers(Query(countries=frozenset({"SE"})))] == ["SE"]
    assert {found.gpu for found in dstack.offers(Query(level=Level.DATACENTER))} == {"H100"}


def test_kinds_are_asked_for_as_the_server_spells_them(server: DstackStandIn, dstack: Dstack) -> None:
    names = ("RTX4090", "RTX4070TiSUPER", "RTX4080SUPER", "H100NVL", "RTX6000Ada", "A6000", "L40S")
    server.offers = [offer(gpu=name, name=name) for name in names]
    wanted = frozenset({"4090", "4070TIS", "4080S", "H100", "RTX6000ADA", "A6000", "L40S"})
    assert {found.gpu for found in dstack.offers(Query(wanted))} == wanted


@pytest.mark.parametrize("price", ["2.5 or so", -1, 1e9, True, None])
def test_a_row_without_a_sound_price_is_left_out(server: DstackStandIn, dstack: Dstack, price: Any) -> None:
    rows = [{**offer(), "price": price}, offer(name="sound"), "no row", {**offer(), "instance": None}]
    answer = {"job_plans": [{"offers": rows, "total_offers": len(rows)}]}
    server.canned[f"/api/project/{PROJECT}/runs/get_plan"] = [answer]
    assert the_offer(dstack).name.endswith("/sound")


@pytest.mark.parametrize("answer", [[], {}, {"job_plans": []}, {"job_plans": [1]}, {"job_plans": [{"offers": None}]}])
def test_half_a_plan_is_a_failure(server: DstackStandIn, dstack: Dstack, answer: Any) -> None:
    server.canned[f"/api/project/{PROJECT}/runs/get_plan"] = [answer]
    with pytest.raises(ProviderAway):
        dstack.offers(Query())


def test_offers_cut_by_the_server_are_said(server: DstackStandIn, dstack: Dstack, caplog: Any) -> None:
    answer = {"job_plans": [{"offers": [offer()], "total_offers": 7}]}
    server.canned[f"/api/project/{PROJECT}/runs/get_plan"] = [answer]
    the_offer(dstack)
    assert "dstack shows 1 of 7 offers" in caplog.text


# -- launches ----------------------------------------------------------------------------------------------------------


def test_a_launch_is_a_run_under_the_tag(server: DstackStandIn, dstack: Dstack) -> None:
    assert launch(dstack, the_offer(dstack)) == [TAG]
    assert server.launches == 1
    assert set(server.rented) == {TAG}
    (request,) = server.calls("POST", APPLY)
    assert request.body["force"] is False
    spec = request.body["plan"]["run_spec"]
    task = spec["configuration"]
    assert (spec["run_name"], spec["ssh_key_pub"]) == (TAG, "ssh-ed25519 AAAA me")
    assert (task["type"], task["image"], task["user"], task["ports"]) == ("task", "pytorch/pytorch", "root", [8000])
    assert (task["backends"], task["regions"]) == (["nebius"], ["eu-north1"])
    assert (task["instance_types"], task["resources"]["gpu"]) == (["gpu-h100-sxm"], {"name": ["H100"], "count": 1})
    assert (task["spot_policy"], task["max_price"]) == ("on-demand", "2.5")
    assert (task["retry"], task["idle_duration"], task["max_duration"]) == (False, 0, "off")


def test_the_script_is_one_command_whatever_is_in_it(server: DstackStandIn, dstack: Dstack) -> None:
    launch(dstack, the_offer(dstack))
    (command,) = server.calls("POST", APPLY)[0].body["plan"]["run_spec"]["configuration"]["commands"]
    assert command == "/bin/sh -c 'set -eu\necho '\"'\"'two words'\"'\"' $HOME &\nsleep 1'"


def test_without_a_key_the_servers_own_is_used(server: DstackStandIn, dstack: Dstack) -> None:
    dstack.launch(the_offer(dstack), Bootstrap("true", ""), TAG, lambda _: None)
    spec = server.calls("POST", APPLY)[0].body["plan"]["run_spec"]
    assert spec["ssh_key_pub"] is None
    assert "image" not in spec["configuration"]


def test_spot_offers_are_launched_as_spot(server: DstackStandIn, dstack: Dstack) -> None:
    server.offers = [offer(1.0, spot=True)]
    launch(dstack, the_offer(dstack))
    assert server.calls("POST", APPLY)[0].body["plan"]["run_spec"]["configuration"]["spot_policy"] == "spot"


def _gone(server: DstackStandIn) -> None:
    server.offers = []


def _taken(server: DstackStandIn) -> None:
    server.offers = [offer(availability="not_available"), offer(name="another")]


def _no_fleet(server: DstackStandIn) -> None:
    server.fleet_takes = False


def _dearer(server: DstackStandIn) -> None:
    server.offers = [offer(2.500001)]


def _no_money(server: DstackStandIn) -> None:
    server.offers = [offer(availability="no_balance")]


def _expired(server: DstackStandIn) -> None:
    server.key = "another"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_gone, OutOfStock),
        (_taken, OutOfStock),
        (_no_fleet, OutOfStock),
        (_dearer, PriceRose),
        (_no_money, CreditShort),
        (_expired, KeyRefused),
    ],
)
def test_refusals_come_before_the_launch(
    server: DstackStandIn, dstack: Dstack, change: Callable[[DstackStandIn], None], error: type[ProviderError]
) -> None:
    found = the_offer(dstack)
    change(server)
    with pytest.raises(error) as caught:
        launch(dstack, found)
    assert not caught.value.sent
    assert server.launches == 0
    assert not server.calls("POST", APPLY)


def test_a_price_that_rises_at_the_launch_rents_nothing(server: DstackStandIn, dstack: Dstack) -> None:
    found = the_offer(dstack)
    old = {"job_plans": [{"offers": [offer()], "total_offers": 1}]}
    server.canned[f"/api/project/{PROJECT}/runs/get_plan"] = [old]
    _dearer(server)
    launch(dstack, found)
    assert server.rented == {}
    assert dstack.machines() == []


def test_a_cheaper_offer_is_taken(server: DstackStandIn, dstack: Dstack) -> None:
    found = the_offer(dstack)
    server.offers = [offer(2.0)]
    launch(dstack, found)
    assert dstack.machines()[0].price == 2_000_000


def test_a_tag_is_never_rented_twice(server: DstackStandIn, dstack: Dstack) -> None:
    found = the_offer(dstack)
    launch(dstack, found)
    with pytest.raises(RequestRefused, match="Cannot override active run") as caught:
        launch(dstack, found)
    assert not caught.value.sent
    assert server.launches == 1


@pytest.mark.parametrize("fault", list(Fault))
def test_a_launch_is_sent_once_under_every_fault(server: DstackStandIn, patient: Dstack, fault: Fault) -> None:
    found = the_offer(patient)
    server.fail("POST", APPLY, fault)
    with pytest.raises((ProviderAway, RateLimited)) as caught:
        launch(patient, found)
    assert len(server.calls("POST", APPLY)) == 1
    assert server.launches == (1 if fault in AFTER or fault is Fault.SLOW else 0)
    assert caught.value.sent or server.launches == 0


def test_readings_go_on_through_weather(server: DstackStandIn, patient: Dstack) -> None:
    for fault in (Fault.UNAVAILABLE, Fault.TOO_OFTEN, Fault.AFTER_CUT):
        server.fail("POST", "/api", fault)
    assert the_offer(patient).gpu == "H100"


@pytest.mark.parametrize("answer", [[], {}, {"run_spec": 1}, {"run_spec": {"run_name": "other"}}, "done"])
def test_an_odd_answer_to_a_launch_is_uncertain(server: DstackStandIn, dstack: Dstack, answer: Any) -> None:
    found = the_offer(dstack)
    server.canned[APPLY] = [answer]
    with pytest.raises(ProviderAway) as caught:
        launch(dstack, found)
    assert caught.value.sent


@pytest.mark.parametrize("tag", ["", "CW-1", "1cw", "c", "cw_1", "c" * 42])
def test_a_tag_that_no_run_can_have_is_refused(server: DstackStandIn, dstack: Dstack, tag: str) -> None:
    with pytest.raises(RequestRefused):
        launch(dstack, the_offer(dstack), tag)
    assert not server.calls("POST", APPLY)


@pytest.mark.parametrize("name", ["", "a/b/c", "a/b/c/xH100/d", "a/b/c/1x/d", "a/b/c/oneH100/d"])
def test_an_offer_of_another_provider_is_refused(dstack: Dstack, name: str) -> None:
    found = the_offer(dstack)
    with pytest.raises(BadQuery):
        dstack.launch(Offer.from_json({**found.to_json(), "name": name}), BOOTSTRAP, TAG, lambda _: None)


# -- machines ----------------------------------------------------------------------------------------------------------


def test_a_machine_is_followed_to_its_end(server: DstackStandIn, dstack: Dstack) -> None:
    launch(dstack, the_offer(dstack))
    (machine,) = dstack.machines()
    assert (machine.name, machine.tag, machine.state) == (TAG, TAG, MachineState.LOADING)
    assert (machine.gpu, machine.gpus, machine.price) == ("H100", 1, 2_500_000)
    assert machine.started_at == int(START.timestamp())
    server.serve(TAG, 0.1, "pulling")
    assert dstack.machines()[0].state is MachineState.LOADING
    server.serve(TAG, 0.2)
    assert dstack.machines()[0].state is MachineState.RUNNING
    server.preempt(TAG)
    assert dstack.machines()[0].state is MachineState.PREEMPTED
    dstack.terminate(TAG)
    assert dstack.machines() == []


def test_a_run_on_its_way_out_is_ending(server: DstackStandIn, dstack: Dstack) -> None:
    server.run("out")["status"] = "terminating"
    assert dstack.machines()[0].state is MachineState.ENDING


def test_all_pages_are_read_and_runs_of_others_too(server: DstackStandIn, dstack: Dstack) -> None:
    server.page = 3
    for number in range(8):
        server.run(f"run-{number}")
    server.runs["run-4"]["status"] = "done"
    assert {machine.name for machine in dstack.machines()} == {f"run-{number}" for number in (0, 1, 2, 3, 5, 6, 7)}


def test_a_page_short_of_rows_is_not_the_last(server: DstackStandIn, dstack: Dstack) -> None:
    server.page = 100
    for number in range(3):
        server.run(f"run-{number}")
    server.canned[RUNS] = [[server.runs["run-2"]]]
    assert {machine.name for machine in dstack.machines()} == {"run-0", "run-1", "run-2"}


@pytest.mark.parametrize("second", [{}, {"runs": []}, "", 0, [1], [{}], [{"id": "x", "status": "running"}]])
def test_a_broken_page_is_no_shorter_list(server: DstackStandIn, dstack: Dstack, second: Any) -> None:
    server.page = 1
    server.run("run-0")
    server.run("run-1")
    server.canned[RUNS] = [None, second]
    with pytest.raises(ProviderAway):
        dstack.machines()


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.HTML, Fault.AFTER_HALF, Fault.SLOW])
@pytest.mark.parametrize("path", [RUNS, f"/api/project/{PROJECT}/fleets/list"])
def test_a_list_that_is_cut_is_a_failure(server: DstackStandIn, dstack: Dstack, path: str, fault: Fault) -> None:
    server.run("run-0")
    server.fail("POST", path, fault)
    with pytest.raises(ProviderAway):
        dstack.machines()


def test_a_page_that_comes_again_is_a_failure(server: DstackStandIn, dstack: Dstack) -> None:
    server.run("run-0")
    server.canned[RUNS] = [[server.runs["run-0"]], [server.runs["run-0"]]]
    with pytest.raises(ProviderAway, match="repeats a page"):
        dstack.machines()


@pytest.mark.parametrize(
    "change", [{"status": "asleep"}, {"run_spec": {}}, {"submitted_at": "noon"}, {"latest_job_submission": 7}]
)
def test_a_run_that_cannot_be_read_hides_no_bill(server: DstackStandIn, dstack: Dstack, change: Any) -> None:
    server.run("run-0").update(change)
    with pytest.raises(ProviderAway, match="cannot be read"):
        dstack.machines()


def test_a_project_that_is_not_there_is_no_empty_list(server: DstackStandIn) -> None:
    with pytest.raises(RequestRefused, match="Not found"):
        Dstack(server.url, KEY, "mian").machines()


def test_instances_that_a_fleet_keeps_are_billed(server: DstackStandIn, dstack: Dstack) -> None:
    server.keep("warm", 3)
    server.keep("leaving", 0, "terminating")
    server.keep("working", 1, "busy")
    server.keep("gone", 2, "terminated")
    server.keep("own", 4, price=0, backend="remote")
    found = {machine.name: machine for machine in dstack.machines()}
    assert {name: machine.state for name, machine in found.items()} == {
        "warm/3": MachineState.RUNNING,
        "leaving/0": MachineState.ENDING,
    }
    warm = found["warm/3"]
    assert (warm.tag, warm.gpu, warm.gpus, warm.price) == ("", "L4", 1, 1_250_000)
    assert warm.started_at == int(START.timestamp())
    assert dstack.spent("warm/3") is None
    dstack.terminate("warm/3")
    assert "warm/3" not in {machine.name for machine in dstack.machines()}
    dstack.terminate("warm/3")
    dstack.terminate("unknown/1")


def test_ending_twice_is_ending(server: DstackStandIn, dstack: Dstack) -> None:
    launch(dstack, the_offer(dstack))
    dstack.terminate(TAG)
    assert server.rented == {}
    dstack.terminate(TAG)
    dstack.terminate("never-was")


def test_an_end_in_a_project_that_is_not_there_is_none(server: DstackStandIn) -> None:
    with pytest.raises(RequestRefused):
        Dstack(server.url, KEY, "mian").terminate(TAG)


def test_the_bill_is_the_servers_count(server: DstackStandIn, dstack: Dstack) -> None:
    launch(dstack, the_offer(dstack))
    assert dstack.spent(TAG) == 0
    server.serve(TAG, 1.5)
    assert dstack.spent(TAG) == MicroUsd(3_750_000)
    dstack.terminate(TAG)
    assert dstack.spent(TAG) == MicroUsd(3_750_000)
    assert dstack.spent("never-was") is None


@pytest.mark.parametrize("cost", [None, "much", -1, True])
def test_a_bill_that_cannot_be_read_is_a_failure(server: DstackStandIn, dstack: Dstack, cost: Any) -> None:
    server.run("run-0")["cost"] = cost
    with pytest.raises(ProviderAway):
        dstack.spent("run-0")


def test_logs_are_the_last_lines_in_their_order(server: DstackStandIn, dstack: Dstack) -> None:
    server.run("run-0")
    server.lines["run-0"] = [f"line {number} ü\n" for number in range(300)]
    assert dstack.logs("run-0").splitlines() == [f"line {number} ü" for number in range(100, 300)]
    server.runs["run-0"]["latest_job_submission"] = None
    assert dstack.logs("run-0") == ""
    with pytest.raises(RequestRefused, match="gives no logs"):
        dstack.logs("warm/3")
    with pytest.raises(RequestRefused, match="Run not found"):
        dstack.logs("never-was")


def test_no_error_and_no_log_has_the_key(
    server: DstackStandIn, dstack: Dstack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found = the_offer(dstack)
    said: list[str] = []
    calls: list[Callable[[], object]] = [
        lambda: dstack.offers(Query()),
        lambda: launch(dstack, found),
        dstack.machines,
        lambda: dstack.terminate(TAG),
        lambda: dstack.spent(TAG),
        lambda: dstack.logs(TAG),
    ]
    for fault in (None, Fault.UNAVAILABLE, Fault.CUT, Fault.HTML):
        server.key = KEY if fault else "another"
        for call in calls:
            if fault:
                server.fail("POST", "/api", fault)
            with pytest.raises(ProviderError) as caught:
                call()
            said.append(f"{caught.value} {caught.value!r}")
    assert len(said) == 24
    assert not [words for words in [*said, caplog.text] if KEY in words]
