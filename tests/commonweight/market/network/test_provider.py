"""Machines of suppliers' hosts through the market's own journal: rented once, followed, ended, and never believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from commonweight.market.errors import OutOfStock, PriceRose, ProviderAway, RequestRefused
from commonweight.market.money import NOTHING, MicroUsd
from commonweight.market.network.orders import Ordered
from commonweight.market.network.provider import LOST_SECONDS, Network
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Bootstrap, MachineState
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.reconciling import reconcile
from commonweight.market.renting.rental import Standing
from contracts.ids import to_hex
from tests.commonweight.market.network.world import Renter, measured_by
from tests.contracts.hosts import offered
from tests.contracts.hosts.offered import MODEL, NOW, OTHER, RENTER, SUPPLIER
from tests.verifier.hosts.served import Served, answering, served

pytestmark = pytest.mark.integration
SCRIPT = "echo began; sleep 600 & wait"
BOOTSTRAP = Bootstrap(SCRIPT, "image", seconds=3600)


@pytest.fixture
def renter(tmp_path: Path) -> Renter:
    return Renter(tmp_path)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, (RENTER.address,)) as one:
        yield one


@pytest.fixture
def offer(renter: Renter, host: Served) -> Offer:
    """The host's, as k verifiers measured it."""
    renter.listing.add(host.host.offer(), *measured_by(2, url=host.url))
    (found,) = renter.network().offers(Query())
    return found


def _noted(_: str) -> None:
    """A launch of one call names nothing before its end."""


def _log(network: Network, tag: str) -> str:
    for _ in range(400):
        if "began" in (text := network.logs(tag)):
            return text
        time.sleep(0.05)
    raise AssertionError("the script did not begin")


def test_a_machine_is_rented_followed_and_ended_by_the_journal(renter: Renter, host: Served, offer: Offer) -> None:
    clock = renter.clock
    journal = Journal(renter.folder / "journal.db", clock)
    journal.fleet_begins(Fleet("fleet-1", MicroUsd(10**7), NOW + 3600, watched=False))
    network = renter.network()
    rental = launch(journal, network, offer, "fleet-1", lambda tag: BOOTSTRAP)
    assert (rental.standing, rental.machine) == (Standing.LOADING, rental.tag)
    reconcile(journal, [renter.network()])
    assert journal.rental(rental.tag).standing is Standing.RUNNING
    assert "began" in _log(network, rental.tag)
    journal.fleet_ends("fleet-1")
    reconcile(journal, [renter.network()])
    assert host.renting is not None
    assert not host.renting.is_rented
    clock.now += 200
    reconcile(journal, [renter.network()])
    assert journal.rental(rental.tag).standing is Standing.ENDED


def test_a_launch_sent_twice_makes_one_machine(renter: Renter, host: Served, offer: Offer) -> None:
    """Its answer was lost, and somebody sent it again: the host knows the tag, and the list decides."""
    network = renter.network()
    network.launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    assert network.launch(offer, BOOTSTRAP, "cw-1-1", _noted) == "cw-1-1"
    (machine,) = network.machines()
    assert (machine.tag, machine.state, machine.price) == ("cw-1-1", MachineState.RUNNING, 300_000)


def test_a_host_that_is_rented_is_out_of_stock(renter: Renter, host: Served, offer: Offer) -> None:
    network = renter.network()
    network.launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    with pytest.raises(OutOfStock):
        network.launch(offer, BOOTSTRAP, "cw-1-2", _noted)
    assert [machine.tag for machine in network.machines()] == ["cw-1-1"]


def test_a_supplier_that_does_not_allow_it_runs_nothing(renter: Renter, host: Served, offer: Offer) -> None:
    assert host.renting is not None
    host.renting.renters = (OTHER.address,)
    with pytest.raises(RequestRefused) as caught:
        renter.network().launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    assert not caught.value.sent
    assert not host.renting.folder.exists()
    assert renter.network().machines() == []


def test_a_price_that_rose_rents_nothing(renter: Renter, host: Served, offer: Offer) -> None:
    from dataclasses import replace

    host.host.terms = replace(host.host.terms, price=300_001)
    host.host._offer = None
    with pytest.raises(PriceRose):
        renter.network().launch(offer, BOOTSTRAP, "cw-1-1", _noted)


@pytest.mark.parametrize(
    "changes",
    [{"gpu": "T4"}, {"gpus": 0}, {"country": "US"}, {"memory": 63}, {"disk": 1}, {"contact": "me"}],
    ids=lambda changes: str(next(iter(changes))),
)
def test_a_host_that_is_another_now_rents_nothing(
    renter: Renter, host: Served, offer: Offer, changes: dict[str, Any]
) -> None:
    """It changed its offer after it was chosen, at the same price."""
    from dataclasses import replace

    host.host.terms = replace(host.host.terms, **changes)
    host.host._offer = None
    with pytest.raises(OutOfStock):
        renter.network().launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    assert renter.network().machines() == []


def test_the_offer_of_another_key_for_this_host_rents_nothing(renter: Renter, host: Served, offer: Offer) -> None:
    from dataclasses import replace

    with pytest.raises(OutOfStock):
        renter.network().launch(replace(offer, name=OTHER.address), BOOTSTRAP, "cw-1-1", _noted)


def test_an_end_that_came_twice_is_an_end(renter: Renter, host: Served, offer: Offer) -> None:
    network = renter.network()
    network.launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    network.terminate("cw-1-1")
    network.terminate("cw-1-1")
    network.terminate("cw-never-was")
    assert network.machines() == []


def test_a_machine_is_ended_while_the_server_is_away(renter: Renter, host: Served, offer: Offer) -> None:
    renter.network().launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    network = renter.network()
    network._board = None  # and nobody answers at its address
    assert [machine.state for machine in network.machines()] == [MachineState.RUNNING]
    network.terminate("cw-1-1")
    assert network.machines() == []


# -- hosts that lie, or are silent -------------------------------------------------------------------------------------


def _ordered(renter: Renter, url: str, **changes: Any) -> Network:
    network = renter.network()
    given = {"sent_at": NOW, "ends_at": NOW + 3600} | changes
    model = (to_hex(MODEL.model), MODEL.domain.chain_id, MODEL.domain.verifying_contract)
    order = Ordered(*model, "cw-1-1", url, SUPPLIER.address, "4090", 1, MicroUsd(300_000), **given)
    network._kept().keep(order)
    return network


def _host_that_says(answer: Any) -> Any:
    async def calls(_: Request) -> Response:
        return JSONResponse(answer)

    return answering(Starlette(routes=[Route("/market/calls", calls, methods=["POST"])]))


def test_no_word_of_a_host_makes_a_bill(renter: Renter) -> None:
    """The agreed price for the time that has passed, whatever the host names: it would end the renter's fleet."""
    row = {"tag": "cw-1-1", "ended_at": 0, "price": 10**15, "began_at": -(10**12), "spent": 10**18}
    with _host_that_says({"machines": [row]}) as url:
        network = _ordered(renter, url)
        assert network.spent("cw-1-1") is None
        renter.clock.now += 600
        (machine,) = network.machines()
        assert (machine.price, machine.started_at) == (300_000, NOW)
        assert network.spent("cw-1-1") == 50_000
        renter.clock.now += 10**6
        assert network.machines() == [], "it goes on by its host's word only"
        assert network.spent("cw-1-1") == 50_000


def test_a_host_that_never_ends_a_machine_bills_no_more(renter: Renter) -> None:
    """It takes the end, and lists the machine as running: neither its renter's process nor its budget waits for it."""
    with _host_that_says({"machines": [{"tag": "cw-1-1", "ended_at": 0}], "ended": "cw-1-1"}) as url:
        network = _ordered(renter, url)
        renter.clock.now += 600
        network.machines()
        network.terminate("cw-1-1")
        renter.clock.now += 30
        assert [machine.name for machine in network.machines()] == ["cw-1-1"]
        network.terminate("cw-1-1")
        renter.clock.now += 30
        assert renter.network().machines() == []
        assert network.spent("cw-1-1") == 50_000


def test_an_end_that_is_refused_is_none(renter: Renter, host: Served, offer: Offer) -> None:
    """The host's clock is six hours off: the machine runs on, and that is said."""
    network = renter.network()
    network.launch(offer, BOOTSTRAP, "cw-1-1", _noted)
    host.clock.now += 6 * 3600
    with pytest.raises(RequestRefused, match="host-message-old"):
        network.terminate("cw-1-1")
    host.clock.now -= 6 * 3600
    assert [machine.name for machine in network.machines()] == ["cw-1-1"]


def test_machines_that_a_host_makes_up_are_nobodys(renter: Renter) -> None:
    with _host_that_says({"machines": [{"tag": "cw-9-9", "ended_at": 0}, {"tag": "cw-1-1", "ended_at": 0}]}) as url:
        assert [machine.name for machine in _ordered(renter, url).machines()] == ["cw-1-1"]


@pytest.mark.parametrize("answer", [[], {"machines": 1}, {"machines": [1]}, {"machines": [{}] * 100_000}])
def test_a_list_of_another_form_ends_no_machine(renter: Renter, answer: Any) -> None:
    with _host_that_says(answer) as url:
        (machine,) = _ordered(renter, url).machines()
    assert machine.state is MachineState.LOADING


def test_a_silent_host_has_lost_its_machine_after_a_while(renter: Renter) -> None:
    with _host_that_says({}) as url:
        pass
    network = _ordered(renter, url)
    assert [machine.state for machine in network.machines()] == [MachineState.LOADING]
    renter.seconds.now += LOST_SECONDS + 1
    assert [machine.state for machine in network.machines()] == [MachineState.FAILED]
    with pytest.raises(ProviderAway):
        network.terminate("cw-1-1")
    renter.clock.now += 4_000
    network.terminate("cw-1-1")
    assert network.machines() == []


def test_one_silent_host_hides_no_other(renter: Renter, host: Served, offer: Offer) -> None:
    network = _ordered(renter, "http://127.0.0.1:1")
    network.launch(offer, BOOTSTRAP, "cw-1-2", _noted)
    found = {machine.name: machine.state for machine in network.machines()}
    assert found == {"cw-1-1": MachineState.LOADING, "cw-1-2": MachineState.RUNNING}


def test_a_bill_begins_with_nothing(renter: Renter) -> None:
    assert renter.network().spent("cw-never-was") is None
    assert NOTHING == 0
    assert offered.offer().message.price == 300_000
