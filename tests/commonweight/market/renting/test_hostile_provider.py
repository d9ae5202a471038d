"""A provider, or the run's server, that breaks, lies or flaps: every machine is ended, and none is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from commonweight.market.errors import BadPrice
from commonweight.market.hiring import keep
from commonweight.market.money import MicroUsd
from commonweight.market.provider import ProviderFacts
from commonweight.market.renting.bootstrap import NodeKey
from commonweight.market.renting.choosing import Spread
from commonweight.market.renting.fleet import FleetKeeper, Wanted
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.reconciling import reconcile
from commonweight.market.renting.rental import Standing
from commonweight.market.renting.steady import SteadyClock
from contracts.files.whole_file import DiskFull
from contracts.ids import as_address
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, away, offer

pytestmark = pytest.mark.unit
TAGGED = ProviderFacts("sim", True, "none", (), "none")
NODE = as_address("0x" + "11" * 20)


class RentedFleet:
    """One fleet of an hour at one provider."""

    def __init__(self, folder: Path, budget: int = 100_000_000, drain: int = 0, **wanted: Any) -> None:
        self.folder, self.clock = folder, Clock()
        self.provider = Simulated(self.clock, TAGGED)
        self.journal = Journal(folder / "journal.db", self.clock)
        self.fleet = Fleet("f", MicroUsd(budget), self.clock.now + 3600, drain_seconds=drain)
        self.journal.fleet_begins(self.fleet)
        terms: dict[str, Any] = {
            "gpus": 1,
            "offers": lambda: list(self.provider.shelf),
            "bootstrap": lambda tag, keys: BOOTSTRAP,
        }
        self.keeper = FleetKeeper(
            self.journal, {"sim": self.provider}, "f", Wanted(**(terms | wanted)), lambda *_: None
        )

    def looks(self, count: int) -> bool:
        """So many looks, 20 seconds apart, or until the fleet is over."""
        for _ in range(count):
            if self.keeper.look():
                return True
            self.clock.now += 20
        return False


@pytest.fixture
def rented(tmp_path: Path) -> Iterator[RentedFleet]:
    rented = RentedFleet(tmp_path)
    yield rented
    rented.journal.close()


def fail(*_: object) -> NoReturn:
    raise away(sent=True)


def break_down(*_: object) -> NoReturn:
    raise ZeroDivisionError


def misread(*_: object) -> NoReturn:
    raise BadPrice("what an adapter did not think of")


TROUBLES = [fail, break_down, misread]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", ["machines", "spent"])
def test_no_broken_reading_keeps_machines(rented: RentedFleet, call: str, trouble: Callable[..., Any]) -> None:
    rented.looks(5)
    assert rented.provider.running == ["m1"]
    setattr(rented.provider, call, trouble)
    rented.looks(250)
    assert rented.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_launch_that_breaks_is_found(rented: RentedFleet, trouble: Callable[..., Any]) -> None:
    rented.provider.on_launch = lambda before: None if before else trouble()
    rented.looks(3)
    rented.provider.on_launch = lambda before: None
    assert rented.looks(250)
    assert (rented.provider.effects, rented.provider.running) == (1, [])


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_end_that_breaks_is_tried_again(rented: RentedFleet, trouble: Callable[..., Any]) -> None:
    rented.looks(5)
    rented.journal.fleet_ends("f")
    rented.provider.on_end = trouble
    assert not rented.looks(3)
    rented.provider.on_end = lambda before: None
    assert rented.looks(5)
    assert rented.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_trouble_of_the_run_or_of_offers_keeps_machines(rented: RentedFleet, trouble: Callable[..., Any]) -> None:
    rented.keeper.wanted = replace(rented.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""))
    rented.looks(5)
    rented.keeper.is_over = rented.keeper.proofs = trouble
    rented.keeper.wanted = replace(rented.keeper.wanted, gpus=2, offers=trouble)
    assert rented.looks(250)
    assert rented.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_machine_is_replaced_for_a_server_that_is_away(rented: RentedFleet, trouble: Callable[..., Any]) -> None:
    rented.keeper.wanted = replace(rented.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""), proof_seconds=300)
    rented.keeper.proofs = trouble
    rented.looks(60)
    assert rented.provider.running == ["m1"]


def test_a_second_machine_under_one_tag_is_ended(rented: RentedFleet) -> None:
    rented.looks(3)
    (rental,) = rented.journal.rentals()
    rented.provider.launch(offer(), BOOTSTRAP, rental.tag, lambda _: None)
    rented.looks(3)
    assert rented.provider.running == ["m1"]


def test_two_machines_of_a_lost_answer_are_one(rented: RentedFleet) -> None:
    def twice(before: bool) -> None:
        if not before:
            rented.provider.on_launch = lambda before: None
            rented.provider.launch(offer(), BOOTSTRAP, rented.journal.rentals()[0].tag, lambda _: None)
            raise away(sent=True)

    rented.provider.on_launch = twice
    rented.looks(5)
    assert rented.provider.running == ["m1"]
    assert rented.looks(250)
    assert rented.provider.running == []


def test_names_of_machines_are_of_one_provider(rented: RentedFleet) -> None:
    """Another provider has an `m1`, too."""
    other = Simulated(rented.clock, replace(TAGGED, name="other"))
    launch(rented.journal, other, offer(provider="other"), "f", lambda _: BOOTSTRAP)
    rented.provider.on_launch = lambda before: None if before else fail()
    rental = launch(rented.journal, rented.provider, offer(), "f", lambda _: BOOTSTRAP)
    reconcile(rented.journal, [rented.provider])
    assert rented.journal.rental(rental.tag).machine == "m1"


def test_a_machine_that_comes_back_after_hours_is_ended(rented: RentedFleet) -> None:
    rented.looks(5)
    lists, rented.provider.machines = rented.provider.machines, list  # type: ignore[method-assign]
    rented.provider.shelf = []
    assert rented.looks(300)
    rented.clock.now += 8 * 3600
    rented.provider.machines = lists  # type: ignore[method-assign]
    for _ in range(2):
        reconcile(rented.journal, [rented.provider])
    assert rented.provider.running == []


def test_one_empty_list_does_not_end_a_fleet(rented: RentedFleet) -> None:
    """The end had done nothing."""
    rented.looks(5)
    terminate, rented.provider.terminate = rented.provider.terminate, lambda machine: None  # type: ignore[method-assign]
    rented.journal.fleet_ends("f")
    rented.looks(2)
    lists, rented.provider.machines = rented.provider.machines, list  # type: ignore[method-assign]
    assert not rented.keeper.look()
    rented.provider.machines, rented.provider.terminate = lists, terminate  # type: ignore[method-assign]
    assert rented.looks(9)
    assert rented.provider.running == []


def test_a_price_that_rises_before_the_start_counts(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path, budget=8_000_000)
    rented.provider.late_bills, rented.provider.boots = True, 10**9
    rented.looks(2)
    rented.provider.bills["m1"].hourly = 100_000_000
    rented.looks(250)
    assert rented.provider.total() <= 8_000_000


def test_a_drain_that_nobody_waits_for_is_none(tmp_path: Path) -> None:
    """The process was killed: who looks next may be the last."""
    rented = RentedFleet(tmp_path, drain=3_000)
    rented.looks(10)
    rented.journal.fleet_ends("f")
    other = Journal(tmp_path / "journal.db", rented.clock)
    reconcile(other, [rented.provider])
    assert rented.provider.running == ["m1"]
    rented.journal.close()
    reconcile(other, [rented.provider])
    assert rented.provider.running == []


def test_a_fleet_that_is_stopped_rents_nothing_more(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path, gpus=8)
    rented.provider.shelf = [offer(f"o{number}") for number in range(8)]

    def stop(before: bool) -> None:
        if not before and rented.provider.effects == 2:
            rented.journal.fleet_ends("f")

    rented.provider.on_launch = stop
    rented.looks(1)
    assert rented.provider.effects == 2


def test_a_machine_that_failed_is_not_rented_again(rented: RentedFleet) -> None:
    rented.provider.shelf = [offer("bad", available=1), offer("good", price=3_000_000)]
    rented.looks(3)
    rented.provider.preempt("m1")
    rented.looks(3)
    assert [rental.offer.name for rental in rented.journal.rentals()] == ["bad", "good"]


def test_a_spread_holds_after_a_replacement(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path, gpus=4, spread=Spread.PLACE)
    rented.provider.shelf = [offer("a", gpus=2, available=9), offer("b", gpus=2, available=9, country="DE")]
    rented.looks(3)
    rented.provider.preempt("m2")
    rented.looks(3)
    live = [one.offer.country for one in rented.journal.rentals() if one.standing is Standing.LOADING or one.proof]
    assert "DE" in live
    assert len(rented.provider.running) == 2


def test_looks_that_take_long_count_in_the_budget(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path, budget=20_000_000)
    rented.provider.shelf, rented.provider.late_bills = [offer(price=20_000_000)], True
    rented.provider.on_list = lambda: setattr(rented.clock, "now", rented.clock.now + 1500)
    rented.looks(60)
    assert rented.provider.effects == 1
    assert rented.provider.total() <= 20_000_000


def test_a_clock_that_is_put_back_goes_on() -> None:
    wall, steady = Clock(1_000_000), Clock(50)
    clock = SteadyClock(0, wall, steady)
    wall.now, steady.now = 1_000_100, 150
    assert clock() == 1_000_100
    wall.now, steady.now = 900_000, 160
    assert clock() == 1_000_110
    wall.now, steady.now = 1_030_000, 161  # it slept
    assert clock() == 1_030_000
    assert SteadyClock(1_030_000, Clock(900_000), Clock(1))() == 1_030_000


def test_a_journal_is_never_earlier_than_its_events(tmp_path: Path) -> None:
    ahead = Clock(4_000_000_000)
    first = Journal(tmp_path / "journal.db", ahead)
    first.fleet_begins(Fleet("f", MicroUsd(1), 5_000_000_000))
    assert Journal(tmp_path / "journal.db").clock() >= 4_000_000_000


class _Stop(threading.Event):
    """Lets the fleet's clock run on while the fleet waits."""

    def __init__(self, rented: RentedFleet, looks: int) -> None:
        super().__init__()
        self.world, self.left = rented, looks

    def wait(self, timeout: float | None = None) -> bool:
        self.world.clock.now += int(timeout or 0)
        self.left -= 1
        return self.left < 0


def test_machines_are_ended_on_a_full_disk(tmp_path: Path) -> None:
    rented = RentedFleet(tmp_path, look_seconds=0)
    rented.keeper.wanted = replace(rented.keeper.wanted, look_seconds=0)
    rented.looks(5)

    def full(*_: object) -> NoReturn:
        raise DiskFull("no room is left")

    write, rented.journal.note = rented.journal.note, full  # type: ignore[method-assign, assignment]
    rented.journal.beat = full  # type: ignore[method-assign, assignment]
    begins, rented.journal.fleet_begins = rented.journal.fleet_begins, lambda fleet: None  # type: ignore[method-assign]
    keep(rented.keeper, _Stop(rented, 3), rented.fleet)
    assert rented.provider.running == []
    rented.journal.note, rented.journal.fleet_begins = write, begins  # type: ignore[method-assign]
