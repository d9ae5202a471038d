"""What an epoch owes, and to whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random

import pytest

from contracts.ids import Address, as_address
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.entitlements import Units, earned_by, emitted, left_of, lines_within
from contracts.protocol.judge.terms import MOST_PAID
from contracts.protocol.run_config import RunConfig

pytestmark = pytest.mark.unit


def test_lines_are_in_order_of_account_then_kind_one_each() -> None:
    lines = lines_within(
        {(1, as_address("b")): 1, (0, as_address("c")): 2}, {(0, as_address("b")): 3, (0, as_address("c")): 4}, 10
    )
    assert lines == (Line(as_address("b"), 0, 3), Line(as_address("b"), 1, 1), Line(as_address("c"), 0, 6))


def test_nobodys_part_is_more_than_its_own_or_nothing() -> None:
    lines = lines_within({(0, as_address("a")): 1, (0, as_address("b")): 1, (0, as_address("c")): 1}, {}, 2)
    assert lines == (Line(as_address("a"), 0, 1), Line(as_address("b"), 0, 1))
    assert lines_within({(0, as_address("a")): 1}, {(0, as_address("a")): 5}, 0) == ()
    assert lines_within({}, {}, 7) == ()


def test_who_finds_no_place_in_an_entry_is_in_the_next_one() -> None:
    owed: Units = {(0, as_address(f"a{number:03}")): 2 for number in range(MOST_PAID)}
    lines = lines_within(owed, {(0, as_address("a000")): 5, (0, as_address("late")): 5}, 10**6)
    assert len(lines) == MOST_PAID
    assert lines[0] == Line(as_address("a000"), 0, 7)
    left = left_of(owed, {(0, as_address("a000")): 5, (0, as_address("late")): 5}, lines)
    assert left == {(0, as_address("late")): 5}
    assert lines_within(left, {}, 10**6) == (Line(as_address("late"), 0, 5),)


def test_a_crowded_out_account_is_paid_before_new_earnings() -> None:
    """As many accounts as have a place, all of one party's nodes, owed something while a low limit lasts: before, what
    they earned anew was paid before what anybody else had earned long ago, for ever."""
    crowd: Units = {(0, as_address(f"a{number:03}")): 2 for number in range(MOST_PAID)}
    owed, paid = {**crowd, (0, as_address("late")): 100}, Counter[tuple[int, Address]]()
    for _ in range(6):
        lines = lines_within(owed, crowd, MOST_PAID)
        owed = left_of(owed, crowd, lines)
        paid.update(earned_by(lines))
    assert paid[0, as_address("late")] > 0
    assert sum(paid.values()) == 6 * MOST_PAID


CODE = replace(RunConfig(), compute_weight=1, code_weight=99, data_weight=0).to_json()
COMPUTE = replace(RunConfig(), compute_weight=99, code_weight=1, data_weight=0).to_json()
NODE, OTHER, AUTHOR = (as_address(f"0x{digit * 40}") for digit in "abc")
SPELLED = as_address("0x" + "A" * 40)


@dataclass
class Run:
    """What a run's next epoch pays for."""

    paying: str
    earned: dict[int, dict[Address, int]]
    late: dict[str, dict[Address, int]]


def split(run: Run, emission: int = 10_000) -> Units:
    """As the protocol splits it."""
    protocol = Protocol(31337, as_address("0x" + "11" * 20), b"m" * 32, as_address("creator"))
    return emitted(lambda *given: protocol.lines(1, *given), run, emission)


def test_late_work_is_paid_by_its_own_terms() -> None:
    """Whatever was decided meanwhile, and for whom: who worked in time loses nothing by late work either."""
    earned = {0: {NODE: 50, OTHER: 50}, 1: {AUTHOR: 1}}
    late = {NODE: 50}
    assert split(Run(CODE, earned, {COMPUTE: late})) == {(0, NODE): 4_950, (0, OTHER): 51, (1, AUTHOR): 4_999}
    assert split(Run(COMPUTE, earned, {CODE: late})) == {(0, NODE): 50, (0, OTHER): 9_851, (1, AUTHOR): 99}
    assert split(Run(CODE, earned, {CODE: late})) == split(Run(CODE, earned, {}))


def test_late_work_leaves_nothing_to_nobody() -> None:
    both = {NODE: 50, OTHER: 50}
    assert split(Run(CODE, {0: both}, {COMPUTE: both})) == {(0, NODE): 5_000, (0, OTHER): 5_000}
    data = {0: both, 3: {AUTHOR: 1}}  # which has no share
    assert split(Run(CODE, data, {COMPUTE: both})) == {(0, NODE): 5_000, (0, OTHER): 5_000}


@pytest.mark.parametrize("seed", range(200))
def test_an_emission_with_late_work_is_split_whole(seed: int) -> None:
    random = Random(seed)
    run = Run(random.choice((CODE, COMPUTE)), {}, {})
    for _ in range(random.randint(1, 6)):
        kind, account = random.choice((0, 0, 1, 3)), random.choice((NODE, SPELLED, OTHER, AUTHOR))
        weight, given = random.randint(1, random.choice((3, 1_000))), run.earned.setdefault(kind, {})
        given[account] = given.get(account, 0) + weight
        if kind == 0 and random.random() < 0.5:
            late = run.late.setdefault(random.choice((CODE, COMPUTE)), {})
            late[account] = late.get(account, 0) + random.randint(1, weight)
    emission = random.choice((0, 1, 7, 10_000))
    units = split(run, emission)
    assert all(amount > 0 for amount in units.values())
    assert sum(units.values()) == (emission if {0, 1} & set(run.earned) else 0)
    assert {account for _, account in units} <= {NODE, OTHER, AUTHOR}


@pytest.mark.parametrize("seed", range(50))
def test_in_sum_everybody_is_paid_what_it_earned_and_no_more(seed: int) -> None:
    random = Random(seed)
    owed: Units = {}
    earned, paid = Counter[tuple[int, Address]](), Counter[tuple[int, Address]]()
    for _ in range(30):
        fresh = {
            (random.choice((0, 1, 3)), as_address(random.choice("abcdef"))): random.randint(1, 40) for _ in range(4)
        }
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
