"""Offers that make up a number of GPUs."""

from __future__ import annotations

import pytest

from commonweight.market.errors import NoOfferFits
from commonweight.market.renting.choosing import Spread, choose
from tests.commonweight.market.renting.simulated import offer

pytestmark = pytest.mark.unit


def test_a_rest_that_nothing_fits_is_made_up_otherwise() -> None:
    shelf = [
        offer("a", gpus=3, price=3),
        offer("b", gpus=2, price=9),
        offer("c", gpus=2, price=7),
        offer("d", gpus=4, price=20),
    ]
    assert {one.name for one in choose(shelf, 4)} == {"b", "c"}


def test_the_largest_number_that_could_be_had_is_named() -> None:
    with pytest.raises(NoOfferFits, match="4 of 5"):
        choose([offer("b", gpus=2, available=2)], 5)


def test_a_combination_keeps_to_its_places() -> None:
    shelf = [
        offer("a", gpus=3, country="SE"),
        offer("b", gpus=2, available=3, country="SE"),
        offer("c", gpus=2, country="DE"),
    ]
    assert sorted(one.name for one in choose(shelf, 4, Spread.PLACE)) == ["b", "c"]


def test_what_is_held_counts_where_machines_are_spread() -> None:
    shelf = [offer("a", available=9), offer("b", available=9, country="DE")]
    held = [offer("h", gpus=2)]
    assert [one.country for one in choose(shelf, 2, Spread.PLACE, held=held)] == ["DE", "DE"]
    with pytest.raises(NoOfferFits):
        choose(shelf[:1], 2, Spread.PLACE, held=held)


@pytest.mark.parametrize("spread", Spread)
def test_a_hundred_and_twenty_eight_of_many_offers(spread: Spread) -> None:
    shelf = [
        offer(f"o{n}", provider=f"p{n % 5}", gpus=3 + n % 3, country="SEDEUS"[n % 3 * 2 :][:2]) for n in range(5_000)
    ]
    assert sum(one.gpus for one in choose(shelf, 128, spread)) == 128


def test_machines_without_gpus_are_none() -> None:
    assert [one.name for one in choose([offer("none", gpus=0, available=10**9), offer("one")], 1)] == ["one"]


def test_linked_gpus_are_in_one_machine() -> None:
    shelf = [offer("a", gpus=8), offer("b", gpus=8, link="NVLink")]
    assert [one.name for one in choose(shelf, 8, linked=True)] == ["b"]
    with pytest.raises(NoOfferFits):
        choose(shelf, 16, linked=True)
