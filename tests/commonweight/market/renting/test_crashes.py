"""The process ends at every point of a launch and of an end: nothing runs unowned, and nothing is rented twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commonweight.market.errors import ProviderError
from commonweight.market.provider import ProviderFacts
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import Unsettled, launch
from commonweight.market.renting.reconciling import ORPHAN_SECONDS, STUBBORN_SECONDS, reconcile
from commonweight.market.renting.rental import DONE, Standing
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, away, offer

pytestmark = pytest.mark.unit
TAGGED = ProviderFacts("sim", True, "none", (), "none")
UNTAGGED = replace(TAGGED, tagged=False)
POINTS = 16
"""More than a launch and an end have."""


class Killed(BaseException):
    """The process ends here."""


class Points:
    """Ends the process at its `nth` step: before or after a write of the journal, or a call of the provider."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def reach(self, *_: object) -> None:
        """A point."""
        self.left -= 1
        if self.left == 0:
            raise Killed

    def on(self, journal: Journal, provider: Simulated) -> None:
        """Put points around every write and every call."""
        inner = journal.note

        def note(*given: Any) -> Any:
            self.reach()
            done = inner(*given)
            self.reach()
            return done

        journal.note = note  # type: ignore[method-assign, assignment]
        provider.on_launch = provider.on_end = self.reach
        provider.on_list = self.reach


class Renting:
    """A journal on a disk, and a provider that outlives the process."""

    def __init__(self, folder: Path, facts: ProviderFacts) -> None:
        self.folder, self.clock = folder, Clock()
        self.provider = Simulated(self.clock, facts)
        self.fleet = Fleet("f", 100_000_000, self.clock.now + 50_000)  # type: ignore[arg-type]
        self.journal().fleet_begins(self.fleet)

    def journal(self) -> Journal:
        """As a new process opens it."""
        self.provider.on_launch = self.provider.on_end = lambda before: None
        self.provider.on_list = lambda: None
        return Journal(self.folder / "journal.db", self.clock)

    def killed(self, nth: int, work: Callable[[Journal], object]) -> bool:
        """Do work in a process that is killed at a point; returns whether it was."""
        journal = self.journal()
        Points(nth).on(journal, self.provider)
        try:
            work(journal)
        except Killed:
            return True
        finally:
            journal.close()
        return False

    def settle(self) -> Journal:
        """Another process looks, several times, while nobody looks after the fleet any more."""
        journal = self.journal()
        for seconds in (1, ORPHAN_SECONDS + 1, 200, 200, 200):
            self.clock.now += seconds
            reconcile(journal, [self.provider])
        return journal


@pytest.mark.parametrize("facts", [TAGGED, UNTAGGED], ids=["tags", "no tags"])
@pytest.mark.parametrize("nth", range(1, POINTS))
def test_a_killed_launch_leaves_nothing_unowned(tmp_path: Path, facts: ProviderFacts, nth: int) -> None:
    renting = Renting(tmp_path, facts)
    renting.killed(nth, lambda journal: launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP))
    journal = renting.settle()
    assert renting.provider.effects <= 1
    assert renting.provider.running == []
    assert all(rental.standing in DONE for rental in journal.rentals())
    assert {rental.machine for rental in journal.rentals() if rental.machine} == set(renting.provider.bills)


@pytest.mark.parametrize("facts", [TAGGED, UNTAGGED], ids=["tags", "no tags"])
@pytest.mark.parametrize("nth", range(1, POINTS))
def test_a_killed_end_is_carried_out_by_the_next_process(tmp_path: Path, facts: ProviderFacts, nth: int) -> None:
    renting = Renting(tmp_path, facts)
    journal = renting.journal()
    launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    renting.clock.now += 100
    reconcile(journal, [renting.provider])
    journal.fleet_ends("f")
    renting.killed(nth, lambda again: reconcile(again, [renting.provider]))
    journal = renting.settle()
    assert (renting.provider.running, renting.provider.effects) == ([], 1)
    assert [rental.standing for rental in journal.rentals()] == [Standing.ENDED]


def _cut(before: bool) -> None:
    if not before:
        raise away(sent=True)


def test_points_reach_beyond_the_last_step(tmp_path: Path) -> None:
    """Otherwise the tests above would not have been at every point."""
    renting = Renting(tmp_path, UNTAGGED)
    work = lambda journal: launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)  # noqa: E731
    assert not renting.killed(POINTS, work)


@pytest.mark.parametrize("facts", [TAGGED, UNTAGGED], ids=["tags", "no tags"])
def test_a_launch_without_an_answer_is_found_not_sent_again(tmp_path: Path, facts: ProviderFacts) -> None:
    renting = Renting(tmp_path, facts)
    journal = renting.journal()
    renting.provider.on_launch = _cut
    rental = launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    assert rental.standing is Standing.SENT
    renting.provider.on_launch = lambda before: None
    if not facts.tagged:
        with pytest.raises(Unsettled):
            launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    reconcile(journal, [renting.provider])
    found = journal.rental(rental.tag)
    assert (found.standing, found.machine, renting.provider.effects) == (Standing.LOADING, "m1", 1)


@pytest.mark.parametrize("facts", [TAGGED, UNTAGGED], ids=["tags", "no tags"])
def test_a_machine_that_comes_late_is_ended(tmp_path: Path, facts: ProviderFacts) -> None:
    """The list shows it only after its launch was given up."""
    renting = Renting(tmp_path, facts)
    journal = renting.journal()
    renting.provider.on_launch = _cut
    rental = launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    hidden = dict(renting.provider.bills)
    renting.provider.bills.clear()
    renting.clock.now += facts.lag_seconds + 1
    journal.beat("f")
    reconcile(journal, [renting.provider])
    assert journal.rental(rental.tag).standing is Standing.NEVER_SEEN
    renting.provider.bills.update(hidden)
    reconcile(journal, [renting.provider])
    reconcile(journal, [renting.provider])
    assert renting.provider.running == []
    assert journal.rental(rental.tag).standing is Standing.ENDED


def test_a_refused_launch_costs_nothing(tmp_path: Path) -> None:
    renting = Renting(tmp_path, TAGGED)
    journal = renting.journal()
    with pytest.raises(ProviderError):
        launch(journal, renting.provider, offer("gone"), "f", lambda _: BOOTSTRAP)
    (rental,) = journal.rentals()
    assert (rental.standing, rental.cost(renting.clock.now + 9_000)) == (Standing.REFUSED, 0)


def test_machines_of_others_are_left_alone(tmp_path: Path) -> None:
    """The user rented them by hand, before and between."""
    renting = Renting(tmp_path, UNTAGGED)
    journal = renting.journal()
    mine = renting.provider.launch(offer(), BOOTSTRAP, "by hand", lambda _: None)
    rental = launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    later = renting.provider.launch(offer(), BOOTSTRAP, "by hand", lambda _: None)
    renting.settle()
    assert renting.provider.running == [mine, later]
    assert journal.rental(rental.tag).standing is Standing.ENDED


def test_one_machine_that_cannot_be_ended_keeps_no_other(tmp_path: Path) -> None:
    renting = Renting(tmp_path, TAGGED)
    journal = renting.journal()
    for _ in range(2):
        launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    journal.fleet_ends("f")
    calls = []

    def refuse_first(before: bool) -> None:
        calls.append(before)
        if len(calls) == 1:
            raise away(sent=True)

    renting.provider.on_end = refuse_first
    assert len(reconcile(journal, [renting.provider]).unasked) == 1
    assert renting.provider.running == ["m1"]
    reconcile(journal, [renting.provider])
    assert renting.provider.running == []


def test_a_lost_journals_machines_are_ended_by_its_copy(tmp_path: Path) -> None:
    renting = Renting(tmp_path, TAGGED)
    journal = renting.journal()
    stray = renting.provider.launch(offer(), BOOTSTRAP, f"cw-{journal.name}-0123456789", lambda _: None)
    other = renting.provider.launch(offer(), BOOTSTRAP, "cw-00000000-0123456789", lambda _: None)
    found = reconcile(journal, [renting.provider])
    assert [machine.name for _, machine in found.unclear] == [stray]
    assert renting.provider.running == [other]


def test_a_machine_that_outlives_its_end_is_complained_of(tmp_path: Path) -> None:
    """Its provider says yes each time, and goes on billing."""
    renting = Renting(tmp_path, TAGGED)
    journal = renting.journal()
    launch(journal, renting.provider, offer(), "f", lambda _: BOOTSTRAP)
    journal.fleet_ends("f")
    renting.provider.terminate = lambda machine: None  # type: ignore[method-assign]
    assert reconcile(journal, [renting.provider]).unasked == []
    renting.clock.now += STUBBORN_SECONDS
    ((about, why),) = reconcile(journal, [renting.provider]).unasked
    assert about == "sim m1"
    assert "own page" in why
