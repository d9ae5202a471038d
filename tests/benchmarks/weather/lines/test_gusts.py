"""Schedules: the same for a seed, printed and read back, and no kind, line or process is left out."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.weather.__main__ import plan
from benchmarks.weather.lines.gusts import LONGEST, MACHINE, PLAIN, WEB, Schedule, schedule
from benchmarks.weather.network import lines_of

pytestmark = pytest.mark.unit


def test_a_seed_gives_one_schedule_and_another_another() -> None:
    assert plan(5, 60, 4) == plan(5, 60, 4)
    assert plan(5, 60, 4).gusts != plan(6, 60, 4).gusts


def test_a_printed_schedule_is_played_again() -> None:
    found = plan(5, 30, 4)
    assert Schedule.from_json(found.to_json()) == found


def test_every_kind_line_and_process_has_its_turn() -> None:
    lines, names = lines_of(4)
    found = schedule(1, 7200, lines, names)
    assert {gust.where for gust in found.gusts} == {line.name for line in lines} | set(names)
    for kinds, places in ((MACHINE, names), (WEB, [x.name for x in lines if x.http]), (PLAIN, ["server>database"])):
        assert {gust.kind for gust in found.gusts if gust.where in places} >= set(kinds)


def test_turns_are_fair() -> None:
    times = Counter(gust.kind for gust in plan(1, 120, 4).gusts if gust.kind in MACHINE)
    assert max(times.values()) - min(times.values()) <= 1


def test_no_gust_outlasts_its_storm_nor_its_kind() -> None:
    found = plan(9, 120, 4)
    for gust in found.gusts:
        assert any(storm.begins <= gust.at and gust.ends <= storm.ends + 0.1 for storm in found.storms)
        assert gust.seconds <= LONGEST.get(gust.kind, 30.0)
    calms = zip(found.storms, found.storms[1:], strict=False)
    assert all(after.begins - before.ends >= 74 for before, after in calms)
