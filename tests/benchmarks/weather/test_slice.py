"""Two minutes of the weather bench: real processes, every kind of gust, and nobody honest loses anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.weather.__main__ import plan, weather
from benchmarks.weather.outcome.verdict import is_good

pytestmark = [pytest.mark.integration, pytest.mark.longest, pytest.mark.timeout(3_600)]


def test_two_minutes_of_weather_cost_nobody_honest_anything(tmp_path: Path) -> None:
    """What is asserted holds on a machine of any speed: a slow one only waits longer for the last payment."""
    schedule = plan(4, 2, 2, storm=(50.0, 80.0), calm=20.0, gap=1.5)
    body = weather(tmp_path, schedule, 2, patience=3_000)
    assert is_good(body), {name: value for name, value in body.items() if name != "said"}
    assert body["not_paid_after"] == []
    assert sum(body["gusts"].values()) == len(schedule.gusts)
