"""Providers that are slow, behind, or forget: what they cost beside themselves, and what nobody ends any more."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from commonweight.market.calling import guarded
from commonweight.market.calling.guarded import Later
from commonweight.market.errors import ProviderAway, RequestRefused
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer
from commonweight.market.provider import Bootstrap, Noted
from commonweight.market.renting.bootstrap import NodeKey
from commonweight.market.renting.fleet import MOST_FAILURES
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.reconciling import reconcile
from commonweight.market.renting.rental import Standing
from contracts.ids import as_address
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Simulated, away, offer
from tests.commonweight.market.renting.test_hostile_provider import NODE, TAGGED, RentedFleet

pytestmark = pytest.mark.unit


def _two_providers(rented: RentedFleet, at_first: int) -> Simulated:
    """So many machines at `sim`, and one at `other`, which is looked after later."""
    other = Simulated(rented.clock, replace(TAGGED, name="other"))
    for _ in range(at_first):
        launch(rented.journal, rented.provider, offer(available=0), "f", lambda _: BOOTSTRAP)
    launch(rented.journal, other, offer(provider="other"), "f", lambda _: BOOTSTRAP)
    rented.clock.now += 120
    return other


@pytest.mark.parametrize("call", ["the end of", "the bill of"])
def test_one_provider_that_hangs_delays_no_others_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Sixty machines whose provider is waited for at each: another's would run on for most of an hour."""
    rented = RentedFleet(tmp_path)
    other = _two_providers(rented, 60)
    take = Later.take

    def hangs(later: Later[Any], seconds: float) -> Any:
        if call in later._what and later._what.endswith("sim"):
            rented.clock.now += int(seconds)
            if call == "the end of":
                raise ProviderAway("no answer", sent=True)
        return take(later, 60.0)

    monkeypatch.setattr(Later, "take", hangs)
    monkeypatch.setattr(guarded, "monotonic", rented.clock)
    rented.journal.fleet_ends("f")
    told = rented.clock.now
    reconcile(rented.journal, [rented.provider, other])
    for thread in threading.enumerate():
        if thread.name.startswith("the end of"):
            thread.join(60)
    assert other.bills["m1"].ended - told < 300, "END_SECONDS of the budget"
    assert rented.provider.running == [], "they were told to end all the same"


def test_launches_that_take_long_leave_no_fleet_alone(tmp_path: Path) -> None:
    """Another process takes the fleet for looked after, and a provider that fails is not asked a hundred times."""
    rented = RentedFleet(tmp_path, gpus=1)
    rented.looks(5)
    other = Journal(tmp_path / "journal.db", rented.clock)
    rented.keeper.wanted = replace(rented.keeper.wanted, gpus=9)
    rented.provider.shelf = [offer(f"o{number}") for number in range(8)]
    tried: list[int] = []

    def slow(before: bool) -> None:
        if before:
            tried.append(rented.clock.now)
            rented.clock.now += 400
            reconcile(other, [rented.provider])
            raise away(sent=False)

    rented.provider.on_launch = slow
    rented.keeper.look()
    assert rented.provider.running == ["m1"]
    assert len(tried) == MOST_FAILURES


@pytest.mark.parametrize("looks", [40, 3])
def test_a_list_that_is_behind_leaves_no_machine(tmp_path: Path, looks: int) -> None:
    """The launch was answered, the fleet stopped at once, and the list shows the machine when nobody asks any more."""
    rented = RentedFleet(tmp_path)
    rented.provider.machines = list  # type: ignore[method-assign]
    rented.looks(1)
    rented.clock.now += 20 * (40 - looks)
    rented.keeper.end()
    assert rented.looks(looks)
    assert rented.provider.running == []


def test_an_end_that_failed_is_told_again_without_a_list(tmp_path: Path) -> None:
    """The list lost the machine, and the provider answers no end: it is not forgotten before it took one."""
    rented = RentedFleet(tmp_path)
    rented.looks(5)
    rented.provider.machines = list  # type: ignore[method-assign]
    rented.provider.on_end = lambda before: _raise(away(sent=True))
    rented.keeper.end()
    assert not rented.looks(5)
    rented.provider.on_end = lambda before: None
    assert rented.looks(5)
    assert rented.provider.running == []


def test_a_provider_that_knows_no_such_machine_has_ended_it(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path)
    rented.looks(5)
    rented.provider.machines = list  # type: ignore[method-assign]
    rented.provider.on_end = lambda before: _raise(RequestRefused("there is no m1"))
    rented.keeper.end()
    assert rented.looks(5)
    assert [one.standing for one in rented.journal.rentals()] == [Standing.ENDED]


def _raise(error: Exception) -> NoReturn:
    raise error


def test_a_machine_that_was_hidden_for_one_list_is_paid_once(tmp_path: Path) -> None:
    """It is replaced, so it has to be ended at once: hidden for longer, it would run beside its replacement."""
    rented = RentedFleet(tmp_path)
    rented.provider.shelf = [offer(available=9)]
    rented.looks(10)
    lists = rented.provider.machines
    rented.provider.machines = list  # type: ignore[method-assign]
    rented.looks(1)
    rented.provider.machines = lists  # type: ignore[method-assign]
    assert rented.provider.running == ["m2"]


def test_a_bill_that_was_taken_back_gives_no_budget(tmp_path: Path) -> None:
    """A charge that a list leaves out once is charged all the same."""
    rented = RentedFleet(tmp_path, budget=8_000_000)
    rented.provider.shelf = [offer(available=9)]
    rented.looks(5)
    rented.provider.bills["m1"].extra = 6_500_000
    rented.looks(1)
    (rental,) = rented.journal.rentals()
    before = rental.cost(rented.clock.now)
    rented.provider.bills["m1"].extra = 0
    rented.looks(1)
    (rental,) = rented.journal.rentals()
    assert rental.cost(rented.clock.now) >= before > 6_500_000
    assert rental.billed < 1_000_000, "an invoice names the last one"


def test_a_launch_in_a_thread_writes_to_the_journal(tmp_path: Path) -> None:
    """A name is its rental's as soon as it comes."""
    rented = RentedFleet(tmp_path)
    rented.journal.fleet_begins(Fleet("g", MicroUsd(1), 10**10))

    def named(_: Offer, __: Bootstrap, ___: str, noted: Noted) -> str:
        noted("m7")
        return "m7"

    rented.provider.launch = named  # type: ignore[method-assign, assignment]
    rental = launch(rented.journal, rented.provider, offer(), "g", lambda _: BOOTSTRAP)
    assert (rental.machine, rental.standing) == ("m7", Standing.LOADING)


@pytest.mark.parametrize(("factor", "left"), [(1.05, ["m1"]), (10, [])])
def test_a_machine_that_is_billed_dearer_than_agreed_is_ended(tmp_path: Path, factor: float, left: list[str]) -> None:
    """The renter named the highest price of an hour; its whole budget would pay for ten of them."""
    rented = RentedFleet(tmp_path)
    rented.looks(5)
    rented.provider.shelf = []
    rented.provider.bills["m1"].hourly = int(2_000_000 * factor)
    rented.looks(3)
    assert rented.provider.running == left


def test_a_host_that_takes_the_pay_of_its_nodes_is_ended(tmp_path: Path) -> None:
    """It has their keys. It is paid for its machine already, and not rented again."""
    host = as_address("0x" + "77" * 20)
    rented = RentedFleet(tmp_path)
    rented.keeper.wanted = replace(rented.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""))
    rented.provider.shelf = [offer(available=9)]
    rented.keeper.proofs = lambda nodes: {NODE: "0xproof"}
    rented.looks(6)
    assert (rented.provider.running, rented.journal.rentals()[0].proof) == (["m1"], "0xproof")
    rented.keeper.diverted = lambda nodes: {NODE: host} if NODE in nodes else {}
    rented.looks(60)
    assert (rented.provider.effects, rented.provider.running) == (MOST_FAILURES, [])
    assert host in rented.journal.rentals()[0].reason


def test_a_server_that_is_away_ends_no_machine_for_its_pay(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path)
    rented.keeper.wanted = replace(rented.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""))
    rented.keeper.diverted = lambda nodes: _raise(away(sent=True))
    rented.looks(10)
    assert rented.provider.running == ["m1"]
