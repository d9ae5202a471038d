"""A fleet look by look: filled, watched until its first proof, replaced, and over at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from commonweight.market.errors import NoOfferFits
from commonweight.market.money import MicroUsd
from commonweight.market.renting.bootstrap import NodeKey
from commonweight.market.renting.choosing import Spread, choose
from commonweight.market.renting.fleet import FleetKeeper, Wanted
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.rental import Standing
from contracts.ids import Address, as_address
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, offer

pytestmark = pytest.mark.unit


class Yard:
    """One fleet at one provider."""

    def __init__(self, folder: Path, gpus: int = 1, budget: int = 10**9, hours: int = 6, drain: int = 0) -> None:
        self.clock = Clock()
        self.provider = Simulated(self.clock, shelf=[offer(f"o{n}", price=1_000_000 + n) for n in range(6)])
        self.journal = Journal(folder / "journal.db", self.clock)
        self.said: list[tuple[str, str]] = []
        self.proven: dict[Address, str] = {}
        self.run_over = False
        self.made = 0
        fleet = Fleet("f", MicroUsd(budget), self.clock.now + hours * 3600, drain_seconds=drain)
        self.journal.fleet_begins(fleet)
        wanted = Wanted(gpus, lambda: self.provider.shelf, lambda tag, keys: BOOTSTRAP, self.key, proof_seconds=1_000)
        self.keeper = FleetKeeper(
            self.journal,
            {"sim": self.provider},
            "f",
            wanted,
            lambda event, about, sentence: self.said.append((event, sentence)),
            self.proofs,
            lambda: self.run_over,
        )

    def key(self) -> NodeKey:
        self.made += 1
        return NodeKey(as_address(f"0x{self.made:040x}"), "{}", "secret")

    def proofs(self, nodes: Sequence[Address]) -> dict[Address, str]:
        return {node: self.proven[node] for node in nodes if node in self.proven}

    def looks(self, count: int, seconds: int = 20) -> bool:
        over = False
        for _ in range(count):
            over = self.keeper.look()
            self.clock.now += seconds
        return over

    def standings(self) -> list[Standing]:
        return [rental.standing for rental in self.journal.rentals()]


def test_a_machine_works_until_the_run_is_over(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.looks(5)
    (rental,) = yard.journal.rentals()
    yard.proven[rental.nodes[0]] = "0xproof"
    yard.looks(2)
    assert yard.journal.rental(rental.tag).proof == "0xproof"
    assert not yard.looks(60)
    yard.run_over = True
    assert yard.looks(3)
    assert (yard.standings(), yard.provider.running) == ([Standing.ENDED], [])
    assert ("over", "the run is over") in yard.said


def test_a_machine_without_a_proof_is_replaced(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    yard.looks(65)
    ended, new = yard.journal.rentals()
    assert (ended.standing, ended.reason) == (Standing.ENDED, "no proof of it was accepted in time")
    assert new.standing in (Standing.LOADING, Standing.RUNNING)
    assert len(yard.provider.running) == 1


def test_a_preempted_machine_is_replaced(tmp_path: Path) -> None:
    yard = Yard(tmp_path, gpus=2)
    yard.looks(5)
    yard.provider.preempt("m1")
    yard.looks(3)
    assert yard.provider.running == ["m2", "m3"]


def test_a_fleet_drains_before_it_ends(tmp_path: Path) -> None:
    yard = Yard(tmp_path, drain=300)
    yard.looks(5)
    yard.journal.fleet_ends("f")
    yard.looks(3)
    assert yard.provider.running == ["m1"], "its nodes answer what they owe"
    assert yard.looks(20)
    assert yard.provider.running == []


def test_a_fleet_ends_with_its_budget(tmp_path: Path) -> None:
    yard = Yard(tmp_path, budget=2_000_000)
    yard.keeper.proofs = lambda nodes: dict.fromkeys(nodes, "0xproof")
    assert yard.looks(500)
    assert 0 < yard.provider.total() <= 2_000_000
    assert ("over", "the budget is spent") in yard.said


def test_nothing_is_rented_for_too_small_a_budget(tmp_path: Path) -> None:
    yard = Yard(tmp_path, budget=300_000)
    yard.looks(3)
    assert yard.provider.effects == 0
    assert any(event == "waits" for event, _ in yard.said)


def test_the_offers_next_in_price_are_taken_when_one_is_gone(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    shelf = yard.provider.shelf
    yard.keeper.wanted = replace(yard.keeper.wanted, offers=lambda: [offer("gone", price=1), *shelf])
    yard.looks(3)
    assert yard.standings() == [Standing.REFUSED, Standing.LOADING]


def test_gpus_are_made_up_of_several_offers() -> None:
    eight, two, one = offer("8", gpus=8), offer("2", gpus=2, available=3), offer("1")
    assert [each.gpus for each in choose([one, two, eight], 5)] == [1, 2, 2]
    assert [each.name for each in choose([eight, one], 8)] == ["8"]
    with pytest.raises(NoOfferFits, match="1 of 3 GPUs"):
        choose([one, eight], 3)


def test_machines_are_spread_over_places() -> None:
    offers = [offer(str(n), country=country) for n, country in enumerate(["SE", "SE", "SE", "US", "US"])]
    assert [each.country for each in choose(offers, 4, Spread.PLACE)] == ["SE", "SE", "US", "US"]
    with pytest.raises(NoOfferFits):
        choose(offers[:3], 3, Spread.PLACE)


def test_linked_gpus_come_in_one_offer() -> None:
    loose, linked = offer("loose", gpus=8), offer("linked", gpus=8, link="nvlink")
    assert choose([loose, linked], 8, linked=True) == [linked]
    with pytest.raises(NoOfferFits):
        choose([loose, loose], 16, linked=True)


def test_a_kind_without_a_number_comes_until_it_is_refused(tmp_path: Path) -> None:
    """Lambda and dstack name kinds of machines, and do not say how many there are."""
    yard = Yard(tmp_path, gpus=3)
    yard.provider.shelf = [offer("kind", available=0)]
    yard.looks(3)
    assert len(yard.provider.running) == 3
    yard.provider.preempt("m1")
    yard.keeper.wanted = replace(yard.keeper.wanted, offers=lambda: [offer("kind", price=1, available=0)])
    yard.looks(6)
    assert yard.standings().count(Standing.REFUSED) == 1, "it costs more than that now, and is asked for once"


def test_a_machine_that_is_up_is_told_with_how_to_reach_it(tmp_path: Path) -> None:
    """Once without it, where its provider is late to say so, and once with it."""
    yard = Yard(tmp_path)
    yard.looks(6)
    (bill,) = yard.provider.bills.values()
    bill.machine = replace(bill.machine, reach="ssh -p 22 root@203.0.113.5")
    yard.looks(3)
    told = [sentence for event, sentence in yard.said if event == "up"]
    assert [sentence.partition(": ")[2] for sentence in told] == [
        "its provider has not said how to reach it",
        "ssh -p 22 root@203.0.113.5",
    ]
