"""A provider in memory, on a clock that the test moves: prices rise, machines are preempted, bills come late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from commonweight.market.errors import OutOfStock, PriceRose, ProviderAway, ProviderError
from commonweight.market.money import MicroUsd, for_seconds
from commonweight.market.offers import Level, Offer, Price, Query, Security
from commonweight.market.provider import Bootstrap, Machine, MachineState, Noted, ProviderFacts

SECURITY = Security(Level.DATACENTER, "its own", "a machine a renter")
BOOTSTRAP = Bootstrap("#!/bin/sh\n", "image")


@dataclass
class Clock:
    """Unix seconds that pass when the test says so."""

    now: int = 1_800_000_000

    def __call__(self) -> int:
        return self.now


def offer(name: str = "one", provider: str = "sim", price: int = 2_000_000, **changes: object) -> Offer:
    """An offer of a machine with one H100, two dollars an hour."""
    given = {"gpu": "H100", "gpus": 1, "seen_at": 1_800_000_000, "country": "SE", "place": "Stockholm", "available": 1}
    terms: dict[str, Any] = {**given, **changes}
    return Offer(provider, name, price=Price(MicroUsd(price)), security=SECURITY, **terms)


@dataclass
class Billed:
    """A machine as its provider knows it, ended or not."""

    machine: Machine
    hourly: int
    began: int
    ended: int = 0
    extra: int = 0


@dataclass
class Simulated:
    """`effects` counts launches that took place; `on_launch` and `on_end` may raise: before (True) the effect, and
    after it."""

    clock: Clock
    facts: ProviderFacts = field(default_factory=lambda: ProviderFacts("sim", True, "none", ("card",), "none"))
    shelf: list[Offer] = field(default_factory=lambda: [offer()])
    bills: dict[str, Billed] = field(default_factory=dict)
    boots: int = 60
    effects: int = 0
    on_launch: Callable[[bool], None] = lambda before: None
    on_list: Callable[[], None] = lambda: None
    on_end: Callable[[bool], None] = lambda before: None
    late_bills: bool = False

    def offers(self, query: Query) -> list[Offer]:
        return [one for one in self.shelf if query.takes(one)]

    def launch(self, wanted: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        self.on_launch(True)
        now = next((one for one in self.shelf if one.name == wanted.name), None)
        if now is None:
            raise OutOfStock(f"{wanted.name} is gone")
        if now.price.total > wanted.price.total:
            raise PriceRose(f"{wanted.name} costs more")
        self.effects += 1
        name = f"m{self.effects}"
        shown = tag if self.facts.tagged else ""
        machine = Machine(name, MachineState.LOADING, shown, wanted.gpu, wanted.gpus, now.price.total, self.clock.now)
        self.bills[name] = Billed(machine, now.price.total, self.clock.now)
        self.on_launch(False)
        return name

    def machines(self) -> list[Machine]:
        self.on_list()
        found = []
        for bill in self.bills.values():
            if bill.ended:
                continue
            is_up = self.clock.now - bill.began >= self.boots and bill.machine.state is MachineState.LOADING
            bill.machine = replace(bill.machine, state=MachineState.RUNNING) if is_up else bill.machine
            found.append(replace(bill.machine, price=MicroUsd(bill.hourly)))
        return found

    def terminate(self, machine: str) -> None:
        self.on_end(True)
        bill = self.bills.get(machine)
        if bill is not None and not bill.ended:
            bill.ended = self.clock.now
        self.on_end(False)

    def spent(self, machine: str) -> MicroUsd | None:
        return None if self.late_bills else MicroUsd(self.billed(machine))

    def logs(self, machine: str) -> str:
        return f"{machine}: nothing"

    # -- what the test asks ----------------------------------------------------------------------------------------

    def billed(self, machine: str) -> int:
        """What it has cost by now."""
        bill = self.bills[machine]
        unit = self.facts.booked_seconds
        seconds = (bill.ended or self.clock.now) - bill.began
        return for_seconds(bill.hourly, max(1, -(-seconds // unit)) * unit) + bill.extra

    def total(self) -> int:
        """What all of them have cost by now."""
        return sum(map(self.billed, self.bills))

    def preempt(self, machine: str) -> None:
        """The provider takes it back."""
        bill = self.bills[machine]
        bill.machine = replace(bill.machine, state=MachineState.PREEMPTED)

    @property
    def running(self) -> list[str]:
        """What is billed now."""
        return [name for name, bill in self.bills.items() if not bill.ended]


def away(sent: bool) -> ProviderError:
    """An answer that did not come."""
    return ProviderAway("sim broke off", sent=sent)
