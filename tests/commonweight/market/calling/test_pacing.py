"""Calls no faster than a provider takes them, by a clock of the test's own."""

from __future__ import annotations

import pytest

from commonweight.market.calling.pacing import Pacing

pytestmark = pytest.mark.unit


class Clock:
    """Moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.pauses.append(seconds)
        self.now += seconds


def pacing(seconds: float) -> tuple[Pacing, Clock]:
    """One with a clock that the test moves."""
    clock = Clock()
    return Pacing(seconds, lambda: clock.now, clock.sleep), clock


def test_the_first_call_goes_at_once() -> None:
    pace, clock = pacing(12)
    pace.wait()
    assert clock.pauses == []


def test_each_further_call_waits_its_turn() -> None:
    pace, clock = pacing(12)
    for _ in range(3):
        pace.wait()
    assert clock.pauses == [12, 12]


def test_time_that_passed_counts() -> None:
    pace, clock = pacing(12)
    pace.wait()
    clock.now += 5
    pace.wait()
    clock.now += 100
    pace.wait()
    assert clock.pauses == [7]


def test_none_is_held_up_without_a_pace() -> None:
    pace, clock = pacing(0)
    for _ in range(9):
        pace.wait()
    assert clock.pauses == []
