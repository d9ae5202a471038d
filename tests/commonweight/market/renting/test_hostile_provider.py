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


class World:
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
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.journal.close()


def fail(*_: object) -> NoReturn:
    raise away(sent=True)


def break_down(*_: object) -> NoReturn:
    raise ZeroDivisionError


def misread(*_: object) -> NoReturn:
    raise BadPrice("what an adapter did not think of")


TROUBLES = [fail, break_down, misread]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", ["machines", "spent"])
def test_no_broken_reading_keeps_machines(world: World, call: str, trouble: Callable[..., Any]) -> None:
    world.looks(5)
    assert world.provider.running == ["m1"]
    setattr(world.provider, call, trouble)
    world.looks(250)
    assert world.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_launch_that_breaks_is_found(world: World, trouble: Callable[..., Any]) -> None:
    world.provider.on_launch = lambda before: None if before else trouble()
    world.looks(3)
    world.provider.on_launch = lambda before: None
    assert world.looks(250)
    assert (world.provider.effects, world.provider.running) == (1, [])


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_end_that_breaks_is_tried_again(world: World, trouble: Callable[..., Any]) -> None:
    world.looks(5)
    world.journal.fleet_ends("f")
    world.provider.on_end = trouble
    assert not world.looks(3)
    world.provider.on_end = lambda before: None
    assert world.looks(5)
    assert world.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_trouble_of_the_run_or_of_offers_keeps_machines(world: World, trouble: Callable[..., Any]) -> None:
    world.keeper.wanted = replace(world.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""))
    world.looks(5)
    world.keeper.is_over = world.keeper.proofs = trouble
    world.keeper.wanted = replace(world.keeper.wanted, gpus=2, offers=trouble)
    assert world.looks(250)
    assert world.provider.running == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_machine_is_replaced_for_a_server_that_is_away(world: World, trouble: Callable[..., Any]) -> None:
    world.keeper.wanted = replace(world.keeper.wanted, new_key=lambda: NodeKey(NODE, "", ""), proof_seconds=300)
    world.keeper.proofs = trouble
    world.looks(60)
    assert world.provider.running == ["m1"]


def test_a_second_machine_under_one_tag_is_ended(world: World) -> None:
    world.looks(3)
    (rental,) = world.journal.rentals()
    world.provider.launch(offer(), BOOTSTRAP, rental.tag, lambda _: None)
    world.looks(3)
    assert world.provider.running == ["m1"]


def test_two_machines_of_a_lost_answer_are_one(world: World) -> None:
    def twice(before: bool) -> None:
        if not before:
            world.provider.on_launch = lambda before: None
            world.provider.launch(offer(), BOOTSTRAP, world.journal.rentals()[0].tag, lambda _: None)
            raise away(sent=True)

    world.provider.on_launch = twice
    world.looks(5)
    assert world.provider.running == ["m1"]
    assert world.looks(250)
    assert world.provider.running == []


def test_names_of_machines_are_of_one_provider(world: World) -> None:
    """Another provider has an `m1`, too."""
    other = Simulated(world.clock, replace(TAGGED, name="other"))
    launch(world.journal, other, offer(provider="other"), "f", lambda _: BOOTSTRAP)
    world.provider.on_launch = lambda before: None if before else fail()
    rental = launch(world.journal, world.provider, offer(), "f", lambda _: BOOTSTRAP)
    reconcile(world.journal, [world.provider])
    assert world.journal.rental(rental.tag).machine == "m1"


def test_a_machine_that_comes_back_after_hours_is_ended(world: World) -> None:
    world.looks(5)
    lists, world.provider.machines = world.provider.machines, list  # type: ignore[method-assign]
    world.provider.shelf = []
    assert world.looks(300)
    world.clock.now += 8 * 3600
    world.provider.machines = lists  # type: ignore[method-assign]
    for _ in range(2):
        reconcile(world.journal, [world.provider])
    assert world.provider.running == []


def test_one_empty_list_does_not_end_a_fleet(world: World) -> None:
    """The end had done nothing."""
    world.looks(5)
    terminate, world.provider.terminate = world.provider.terminate, lambda machine: None  # type: ignore[method-assign]
    world.journal.fleet_ends("f")
    world.looks(2)
    lists, world.provider.machines = world.provider.machines, list  # type: ignore[method-assign]
    assert not world.keeper.look()
    world.provider.machines, world.provider.terminate = lists, terminate  # type: ignore[method-assign]
    assert world.looks(9)
    assert world.provider.running == []


def test_a_price_that_rises_before_the_start_counts(tmp_path: Path) -> None:
    world = World(tmp_path, budget=8_000_000)
    world.provider.late_bills, world.provider.boots = True, 10**9
    world.looks(2)
    world.provider.bills["m1"].hourly = 100_000_000
    world.looks(250)
    assert world.provider.total() <= 8_000_000


def test_a_drain_that_nobody_waits_for_is_none(tmp_path: Path) -> None:
    """The process was killed: who looks next may be the last."""
    world = World(tmp_path, drain=3_000)
    world.looks(10)
    world.journal.fleet_ends("f")
    other = Journal(tmp_path / "journal.db", world.clock)
    reconcile(other, [world.provider])
    assert world.provider.running == ["m1"]
    world.journal.close()
    reconcile(other, [world.provider])
    assert world.provider.running == []


def test_a_fleet_that_is_stopped_rents_nothing_more(tmp_path: Path) -> None:
    world = World(tmp_path, gpus=8)
    world.provider.shelf = [offer(f"o{number}") for number in range(8)]

    def stop(before: bool) -> None:
        if not before and world.provider.effects == 2:
            world.journal.fleet_ends("f")

    world.provider.on_launch = stop
    world.looks(1)
    assert world.provider.effects == 2


def test_a_machine_that_failed_is_not_rented_again(world: World) -> None:
    world.provider.shelf = [offer("bad", available=1), offer("good", price=3_000_000)]
    world.looks(3)
    world.provider.preempt("m1")
    world.looks(3)
    assert [rental.offer.name for rental in world.journal.rentals()] == ["bad", "good"]


def test_a_spread_holds_after_a_replacement(tmp_path: Path) -> None:
    world = World(tmp_path, gpus=4, spread=Spread.PLACE)
    world.provider.shelf = [offer("a", gpus=2, available=9), offer("b", gpus=2, available=9, country="DE")]
    world.looks(3)
    world.provider.preempt("m2")
    world.looks(3)
    live = [one.offer.country for one in world.journal.rentals() if one.standing is Standing.LOADING or one.proof]
    assert "DE" in live
    assert len(world.provider.running) == 2


def test_looks_that_take_long_count_in_the_budget(tmp_path: Path) -> None:
    world = World(tmp_path, budget=20_000_000)
    world.provider.shelf, world.provider.late_bills = [offer(price=20_000_000)], True
    world.provider.on_list = lambda: setattr(world.clock, "now", world.clock.now + 1500)
    world.looks(60)
    assert world.provider.effects == 1
    assert world.provider.total() <= 20_000_000


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
    """Lets the world's clock run on while a fleet waits."""

    def __init__(self, world: World, looks: int) -> None:
        super().__init__()
        self.world, self.left = world, looks

    def wait(self, timeout: float | None = None) -> bool:
        self.world.clock.now += int(timeout or 0)
        self.left -= 1
        return self.left < 0


def test_machines_are_ended_on_a_full_disk(tmp_path: Path) -> None:
    world = World(tmp_path, look_seconds=0)
    world.keeper.wanted = replace(world.keeper.wanted, look_seconds=0)
    world.looks(5)

    def full(*_: object) -> NoReturn:
        raise DiskFull("no room is left")

    write, world.journal.note = world.journal.note, full  # type: ignore[method-assign, assignment]
    world.journal.beat = full  # type: ignore[method-assign, assignment]
    begins, world.journal.fleet_begins = world.journal.fleet_begins, lambda fleet: None  # type: ignore[method-assign]
    keep(world.keeper, _Stop(world, 3), world.fleet)
    assert world.provider.running == []
    world.journal.note, world.journal.fleet_begins = write, begins  # type: ignore[method-assign]
