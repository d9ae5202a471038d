"""Costs of rented machines in whole hours, as an invoice takes them."""

from __future__ import annotations

import pytest

from commonweight.market.money import HOUR, MicroUsd
from commonweight.market.renting.costs import MachineCost, ended_costs
from commonweight.market.renting.events import Billed, Ended, Event, Intended, Named, Running, Sent, ToEnd
from commonweight.market.renting.rental import Rental, after
from contracts.ids import as_address
from tests.commonweight.market.renting.simulated import offer

pytestmark = pytest.mark.unit

USD = 10**6
ADA, BEN = (as_address("0x" + letter * 40) for letter in "ab")
START = 100 * HOUR + 600


def rental(*later: tuple[int, Event]) -> Rental:
    """A machine of 3 dollars an hour with two node keys, from ten minutes past hour 100 on."""
    begun = after(None, "cw-1", START, Intended(offer("one", "lambda", 3 * USD), "fleet", (BEN, ADA)))
    first: list[tuple[int, Event]] = [(START, Sent()), (START, Named("i-7")), (START, Running(MicroUsd(3 * USD)))]
    for at, event in (*first, *later):
        begun = after(begun, "cw-1", at, event)
    return begun


END = START + 2 * HOUR
ENDED: tuple[tuple[int, Event], ...] = ((END, ToEnd("hours")), (END, Ended()))


def test_an_ended_machine_costs_what_was_billed() -> None:
    (cost,) = ended_costs([rental(*ENDED, (END, Billed(MicroUsd(5 * USD))))], {ADA, BEN})
    assert cost == MachineCost("cw-1", "lambda", "i-7", (ADA, BEN), 100, 103, MicroUsd(5 * USD))


def test_without_a_bill_it_is_the_most_that_it_may_have_cost() -> None:
    (cost,) = ended_costs([rental(*ENDED)], {ADA})
    assert (cost.amount, cost.nodes) == (6 * USD, (ADA,))


def test_hours_before_the_run_leave_their_part_out() -> None:
    (cost,) = ended_costs([rental(*ENDED)], {ADA}, first_hour=101)
    assert (cost.from_hour, cost.to_hour, cost.amount) == (101, 103, 4 * USD)


def test_machines_that_run_on_or_never_worked_have_no_invoice() -> None:
    assert ended_costs([rental(), rental(*ENDED)], set()) == []
    assert ended_costs([rental()], {ADA}) == []


def test_a_machine_that_ended_before_the_run_has_no_invoice() -> None:
    """Nor has it an hour after its end, in which its key may work on another machine."""
    assert ended_costs([rental(*ENDED)], {ADA}, first_hour=103) == []
    assert ended_costs([rental(*ENDED)], {ADA}, first_hour=500) == []
