"""What the churn bench does in a round, and what it counts as lost."""

from __future__ import annotations

import pytest

from benchmarks.weather.churn import lost_rounds, plan, unpaid
from benchmarks.weather.network import NODES
from benchmarks.weather.outcome.facts import Facts, Proof

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("seed", range(20))
def test_as_many_are_there_after_each_round(seed: int) -> None:
    here = set(NODES[:4])
    for deeds in plan(seed, 50, NODES[:6], 4):
        assert deeds.comes not in here
        assert {deeds.leaves, deeds.killed} <= here
        assert deeds.leaves != deeds.killed
        here = here - {deeds.leaves} | {deeds.comes}
        assert len(here) == 4


def test_a_round_of_which_nothing_is_paid_is_lost() -> None:
    found = Facts({}, closed={1: 5, 2: 9, 3: 12})
    found.proofs = {"a": Proof("ada", 1, 3), "b": Proof("ben", 2, 7)}
    found.ends = {"a": "posted", "b": "undecided"}
    assert lost_rounds(found) == [2, 3]


def test_work_is_unpaid_that_ends_otherwise() -> None:
    found = Facts({}, closed={1: 5})
    found.proofs = {name: Proof("ada", 1, 3) for name in "abcde"}
    found.ends = {"a": "posted", "b": "undecided", "c": "void: replay-mismatch, segment 1", "d": "out"}
    assert unpaid(found) == ["ada, round 1: undecided", "ada, round 1: void: replay-mismatch, segment 1"]
