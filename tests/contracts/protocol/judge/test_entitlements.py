"""What an epoch owes, and to whom."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from contracts.protocol.judge.entitlements import Units, earned_by, left_of, lines_within
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.terms import MOST_PAID

pytestmark = pytest.mark.unit


def test_lines_are_in_order_of_account_then_kind_one_each() -> None:
    lines = lines_within({(1, "b"): 1, (0, "c"): 2}, {(0, "b"): 3, (0, "c"): 4}, 10)
    assert lines == (Line("b", 0, 3), Line("b", 1, 1), Line("c", 0, 6))


def test_nobodys_part_is_more_than_its_own_or_nothing() -> None:
    lines = lines_within({(0, "a"): 1, (0, "b"): 1, (0, "c"): 1}, {}, 2)
    assert lines == (Line("a", 0, 1), Line("b", 0, 1))
    assert lines_within({(0, "a"): 1}, {(0, "a"): 5}, 0) == ()
    assert lines_within({}, {}, 7) == ()


def test_who_finds_no_place_in_an_entry_is_in_the_next_one() -> None:
    owed: Units = {(0, f"a{number:03}"): 2 for number in range(MOST_PAID)}
    lines = lines_within(owed, {(0, "a000"): 5, (0, "late"): 5}, 10**6)
    assert len(lines) == MOST_PAID
    assert lines[0] == Line("a000", 0, 7)
    left = left_of(owed, {(0, "a000"): 5, (0, "late"): 5}, lines)
    assert left == {(0, "late"): 5}
    assert lines_within(left, {}, 10**6) == (Line("late", 0, 5),)


def test_who_finds_no_place_is_not_kept_out_by_those_who_earn_anew() -> None:
    """As many accounts as have a place, all of one party's nodes, owed something while a low limit lasts: before, what
    they earned anew was paid before what anybody else had earned long ago, for ever."""
    crowd: Units = {(0, f"a{number:03}"): 2 for number in range(MOST_PAID)}
    owed, paid = {**crowd, (0, "late"): 100}, Counter[tuple[int, str]]()
    for _ in range(6):
        lines = lines_within(owed, crowd, MOST_PAID)
        owed = left_of(owed, crowd, lines)
        paid.update(earned_by(lines))
    assert paid[0, "late"] > 0
    assert sum(paid.values()) == 6 * MOST_PAID


@pytest.mark.parametrize("seed", range(50))
def test_in_sum_everybody_is_paid_what_it_earned_and_no_more(seed: int) -> None:
    random = Random(seed)
    owed: Units = {}
    earned, paid = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for _ in range(30):
        fresh = {(random.choice((0, 1, 3)), random.choice("abcdef")): random.randint(1, 40) for _ in range(4)}
        due, within = sum(owed.values()) + sum(fresh.values()), random.choice((0, 1, 7, 30, 100, 10**6))
        lines = lines_within(owed, fresh, within)
        assert sum(line.amount for line in lines) == min(due, within)
        if within < sum(owed.values()):
            assert all(line.amount <= owed[line.kind, line.account] for line in lines), "nothing new is paid before"
        owed = left_of(owed, fresh, lines)
        earned.update(fresh)
        paid.update(earned_by(lines))
        assert paid <= earned
    paid.update(earned_by(lines_within(owed, {}, 10**9)))
    assert paid == earned
