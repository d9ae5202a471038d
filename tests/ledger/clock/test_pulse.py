"""When the keeper's next pass is due."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ledger.clock.pulse import (
    AGAIN_SECONDS,
    LEAST_SECONDS,
    LONGEST_SECONDS,
    TICK_SECONDS,
    ChainHead,
    HeadTimer,
    KeeperPulse,
)
from ledger.storage import changes as watching
from ledger.storage.changes import Changes
from ledger.storage.database import connect

pytestmark = pytest.mark.unit


class Time:
    """A clock that moves when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def changes() -> Changes:
    """Of a database in which nothing is done."""
    return Changes(connect("sqlite://"))


def passed(changes: Changes, clock: Time, due_in: float | None = None, failed: bool = False) -> KeeperPulse:
    """One pass after the start, in no time."""
    made = KeeperPulse(changes, 0.3, clock)
    made.begun()
    made.ended(failed, due_in)
    return made


def test_the_first_pass_is_due_at_once(changes: Changes) -> None:
    assert KeeperPulse(changes, 0.3, Time()).is_due()


@pytest.mark.parametrize(
    ("due_in", "failed", "seconds"),
    [
        (None, False, LONGEST_SECONDS),
        (4.0, False, 4.0),
        (40.0, False, LONGEST_SECONDS),
        (-5.0, False, 0.3),
        (None, True, AGAIN_SECONDS),
        (4.0, True, AGAIN_SECONDS),
    ],
)
def test_the_next_pass_is_due_at_what_comes_first(
    changes: Changes, due_in: float | None, failed: bool, seconds: float
) -> None:
    clock = Time()
    made = passed(changes, clock, due_in, failed)
    clock.now += seconds - 0.01
    assert not made.is_due()
    clock.now += 0.02
    assert made.is_due()


def test_a_commit_makes_a_pass_due_and_a_quiet_one_does_not(changes: Changes) -> None:
    made = passed(changes, Time())
    changes.committed(quiet=True)
    assert not made.is_due()
    changes.committed(quiet=False)
    assert made.is_due()


def test_what_is_committed_during_a_pass_is_for_the_next(changes: Changes) -> None:
    made = KeeperPulse(changes, 0.3, Time())
    made.begun()
    changes.committed(quiet=False)
    made.ended(False, None)
    assert made.is_due()


def test_a_failure_outside_of_a_pass_brings_one_soon(changes: Changes) -> None:
    clock = Time()
    made = passed(changes, clock)
    made.again()
    clock.now += AGAIN_SECONDS
    assert made.is_due()


def test_who_rests_is_woken_by_a_commit_and_by_the_end(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SLICE_SECONDS", 0.01)
    made, stop, woken = KeeperPulse(changes, 0.0), threading.Event(), list[bool]()
    made.begun()
    made.ended(False, None)
    wakes: tuple[Callable[[], object], ...] = (lambda: changes.committed(quiet=False), stop.set)
    for wake in wakes:
        resting = threading.Thread(target=lambda: woken.append(made.rest(stop, 600)))
        resting.start()
        wake()
        resting.join()
        made.begun()
        made.ended(False, None)
    assert woken == [True, False]


@pytest.mark.parametrize(
    ("spacing", "first", "then"),
    [(1, 0.9, LEAST_SECONDS), (2, 1.8, LEAST_SECONDS), (12, TICK_SECONDS, 1.8), (0.25, LEAST_SECONDS, LEAST_SECONDS)],
)
def test_the_head_is_looked_at_when_a_block_is_expected(spacing: float, first: float, then: float) -> None:
    clock = Time()
    timer = HeadTimer(clock)
    assert timer.saw(ChainHead(10, "a", 1_000))
    assert timer.saw(ChainHead(18, "b", int(1_000 + 8 * spacing)))
    assert timer.seconds == pytest.approx(first)
    clock.now += spacing
    assert not timer.saw(ChainHead(18, "b", int(1_000 + 8 * spacing)))
    assert timer.seconds == pytest.approx(then)


def test_a_chain_that_rests_is_looked_at_as_often_as_the_leases() -> None:
    clock = Time()
    timer = HeadTimer(clock)
    timer.saw(ChainHead(10, "a", 1_000))
    timer.saw(ChainHead(11, "b", 2_000))
    clock.now += 5_000
    assert timer.seconds == TICK_SECONDS


def test_a_block_that_took_anothers_place_is_news() -> None:
    timer = HeadTimer()
    assert [timer.saw(ChainHead(10, name, 1_000)) for name in ("a", "b", "b")] == [True, True, False]


def test_after_a_chain_was_away_its_head_is_news() -> None:
    timer = HeadTimer()
    timer.saw(ChainHead(10, "a", 1_000))
    timer.lost()
    assert timer.saw(ChainHead(10, "a", 1_000))
