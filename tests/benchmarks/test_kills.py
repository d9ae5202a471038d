"""Slices of the kill benchmark: random kills, crash points, and a relayer that the bench must catch."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kill_points import points
from benchmarks.kills import CLAIMS_PER_KILL, Bench, kills, naive

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.long)])
def test_kills_lose_nothing_and_pay_nothing_twice(tmp_path: Path, times: int) -> None:
    found = kills(times, 7, tmp_path)
    assert (found["lost"], found["paid twice"], found["claims"]) == (0, 0, times * CLAIMS_PER_KILL)
    assert sum(found["killed"].values()) == times
    assert min(found["killed"].get(part, 0) for part in ("api", "settlement", "indexer")) > 0


def test_a_reverted_payment_is_paid_again_and_not_twice(tmp_path: Path) -> None:
    """A chain node that forgets its newest blocks."""
    bench = Bench(tmp_path, 24, 3)
    try:
        for _ in range(3):
            bench.allowed += 8
            bench.kill("chain")
            bench.check()
        assert bench.settle()["claims"] == 24
    finally:
        bench.close()


def test_a_keeper_that_crashes_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    found = points(tmp_path, ("claims.queued", "outbox.sent", "outbox.returned"), ("kill",))
    assert found["reached"] == 3
    assert found["claims"] == 6


def test_the_bench_sees_a_relayer_that_pays_twice(tmp_path: Path) -> None:
    found = naive(30, 200, 5, tmp_path)
    assert found["paid twice"] > 0
