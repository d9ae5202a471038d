"""A clock that is six hours off is named once with the difference, and once when it is right again."""

from __future__ import annotations

import pytest

from contracts.process.clock_watch import ClockWatch

pytestmark = pytest.mark.unit

HOURS = 6 * 3600


class Machine:
    """A clock that one sets, the seconds that pass, and a chain with a block every twelve of them."""

    def __init__(self) -> None:
        self.wrong = 0.0
        self.passed = 1_000.0
        self.said: list[str] = []
        self.watch = ClockWatch(self.said.append, lambda: self.true + self.wrong, lambda: self.passed)

    @property
    def true(self) -> float:
        return 1_700_000_000 + self.passed

    def look(self, seconds: float = 1.0, resting: bool = False) -> None:
        self.passed += seconds
        if not resting:
            self.block = self.true - self.passed % 12
        self.watch.block(self.block)


@pytest.mark.parametrize(("wrong", "way"), [(HOURS, "6 h 0 min ahead of"), (-HOURS, "6 h 0 min behind")])
def test_a_wrong_clock_is_reported_once_and_again_when_right(wrong: float, way: str) -> None:
    machine = Machine()
    for _ in range(60):
        machine.look()
    assert machine.said == []
    machine.wrong = wrong
    for _ in range(60):
        machine.look()
    (told,) = machine.said
    assert way in told.replace("5 h 59 min", "6 h 0 min")
    assert "set it" in told
    machine.wrong = 0
    for _ in range(60):
        machine.look()
    assert machine.said[1:] == ["this machine's clock is right again"]


def test_a_chain_that_rests_says_nothing_against_a_clock() -> None:
    machine = Machine()
    machine.look()
    for _ in range(100):
        machine.look(60, resting=True)
    machine.look(1)
    assert [line for line in machine.said if "ahead" in line] == []


def test_a_rare_look_takes_no_old_block_for_a_clock_ahead() -> None:
    machine = Machine()
    for _ in range(20):
        machine.look(90)
        machine.watch.block(machine.block + 1)
    assert machine.said == []


@pytest.mark.parametrize("wrong", [HOURS, -HOURS, 31])
def test_a_server_names_it_too(wrong: float) -> None:
    machine = Machine()
    machine.watch.date(machine.true)
    machine.wrong = wrong
    for _ in range(3):
        machine.watch.date(machine.true)
    machine.wrong = 0
    machine.watch.date(machine.true)
    assert [("right" in line, "server" in line) for line in machine.said] == [(False, True), (True, False)]
