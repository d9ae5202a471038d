"""Who is away, as a node tells it, and the end for who does not wait for ever."""

from __future__ import annotations

import pytest

from contracts.process.outage import EVERY_SECONDS, GRACE_SECONDS, Outage, Troubles
from trainer import weather
from trainer.weather import SERVER, GaveUp, Weather

pytestmark = pytest.mark.unit
AWAY = "failed (502)"
Troubled = dict[str, str | None]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, outage = Clock(), Outage
    monkeypatch.setattr(weather, "Outage", lambda name, say: outage(name, say, clock=made))
    return made


def looked(
    clock: Clock, seconds: int, made: Weather, troubles: dict[str, str | None], chain: str | None = None
) -> None:
    for _ in range(seconds):
        made.look(troubles, chain, needed=2)
        clock.now += 1.0


def test_nothing_is_said_in_good_weather(clock: Clock) -> None:
    said = list[str]()
    looked(clock, 100, Weather("http://api", "http://rpc", said.append, 5.0), {SERVER: None, "a": None, "b": None})
    assert said == []


def test_each_party_that_is_away_is_named(clock: Clock) -> None:
    said = list[str]()
    made = Weather("http://api", "http://rpc", said.append, 0.0)
    looked(clock, 20, made, {SERVER: AWAY, "a": None, "b": AWAY}, "ConnectionError")
    looked(clock, 1, made, {SERVER: None, "a": None, "b": None})
    assert [line.split(" does not")[0] for line in said[:3]] == [
        "the server http://api",
        "the chain node http://rpc",
        "a mirror that is needed",
    ]
    assert "1 of 2 show the log, and 2 are needed; b: failed (502)" in said[2]
    assert len(said) == 6
    assert all("answers again" in line for line in said[3:])


def test_no_mirrors_are_missed_before_anybody_named_one(clock: Clock) -> None:
    said = list[str]()
    made = Weather("http://api", "http://rpc", said.append, 0.0)
    looked(clock, 20, made, {SERVER: AWAY})
    assert [line.split(" does not")[0] for line in said] == ["the server http://api"]
    looked(clock, 20, made, {SERVER: None})
    assert "a mirror that is needed does not answer: none has said where it is, and 2 are needed" in said[-1]


def test_who_waits_for_ever_does_not_end(clock: Clock) -> None:
    looked(clock, 5_000, Weather("http://api", "", lambda _: None, 0.0), {SERVER: AWAY, "a": AWAY})


def test_who_does_not_ends_when_nobody_answers(clock: Clock) -> None:
    made = Weather("http://api", "", lambda _: None, 30.0)
    looked(clock, 500, made, {SERVER: AWAY, "a": None})
    with pytest.raises(GaveUp, match="--give-up-after"):
        looked(clock, 40, made, {SERVER: AWAY, "a": AWAY})


def test_a_trouble_is_told_once_a_minute_and_at_its_end(clock: Clock) -> None:
    said = list[str]()
    troubles = Troubles(said.append, clock)
    for _ in range(int(EVERY_SECONDS * 2.5)):
        troubles.failed("a merge", "no")
        clock.now += 1.0
    troubles.ended("a merge")
    troubles.ended("a merge")
    assert said == ["a merge: no"] * 3 + ["a merge: well again"]


def test_what_comes_and_goes_is_told_once_a_minute(clock: Clock) -> None:
    said = list[str]()
    troubles = Troubles(said.append, clock)
    for number in range(100):
        troubles.failed("a merge", "no")
        clock.now += GRACE_SECONDS / 4
        troubles.ended("a merge")
        assert len(said) == 1 + int(number * GRACE_SECONDS / 4 // EVERY_SECONDS)
