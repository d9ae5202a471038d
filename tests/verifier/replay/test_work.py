"""Questions to workers: asked when their bytes are here, answered once, and asked anew where bytes were lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts.process.record import Record
from verifier.jobs.rows import JobRow, JobState, Key, Order
from verifier.replay.pace import LEAST_SECONDS, MULTIPLE, Effort
from verifier.replay.question import ReplayRequest, ReplayTask
from verifier.replay.work import Work

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Asked(Record):
    a: int
    b_blobs: tuple[str, ...]


@dataclass(frozen=True)
class Answer(Record):
    holds: bool


TASK, HOLDS = ReplayTask("duty.hold", Asked, Answer), Answer(True)


def request(
    subject: str = "proof", name: str = "hold", number: int = 1, blobs: tuple[str, ...] = ()
) -> ReplayRequest[Asked, Answer]:
    return ReplayRequest(TASK, subject, name, Asked(number, blobs))


@dataclass
class Board:
    """Answers each try with the next result; None while there is none."""

    results: list[Any]
    orders: dict[Key, Order] = field(default_factory=dict)

    def one(self, order: Order) -> JobRow:
        self.orders.setdefault(order.key, order)
        result = self.results[order.key.stage]
        state = JobState.DEAD if result == "dead" else JobState.DONE if result is not None else JobState.RUNNING
        return JobRow(order.key, order.task, list(order.arguments), 3, state, 3, "", 0.0, "", "it broke", result)

    def keep(self, subjects: Collection[str]) -> None:
        self.orders = {key: order for key, order in self.orders.items() if key.subject in subjects}


def asks(board: Board, has: set[str], said: list[tuple[str, str]]) -> Any:
    made = Work(lambda: board, has.__contains__, 3, lambda subject, why: said.append((subject, why)))
    return lambda: made.ask(request(), ("x",), (("y", "z"), ()))


def test_nothing_is_asked_before_the_bytes_are_here() -> None:
    board, has = Board([{"holds": True}]), set[str]()
    ask = asks(board, has, [])
    for name in ("x", "z"):
        assert ask() is None
        assert board.orders == {}
        has.add(name)
    assert ask() == HOLDS
    (order,) = board.orders.values()
    assert (order.task, order.arguments, order.allowed) == ("duty.hold", ({"a": 1, "b_blobs": []},), 3)


def test_what_was_asked_of_rounds_that_are_over_is_forgotten() -> None:
    board = Board([{"holds": True}])
    made = Work(lambda: board, lambda _: True, 3, lambda *_: None)
    for subject in ("0xold", "0xlive"):
        assert made.ask(request(subject), ()) == HOLDS
    made.keep({"0xlive"})
    assert {key.subject for key in board.orders} == {"0xlive"}


def test_bytes_that_a_worker_did_not_find_are_asked_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("verifier.replay.work.time.monotonic", lambda: now[0])
    board = Board([None, {"holds": True}])
    ask = asks(board, {"x", "y"}, [])
    assert ask() is None
    board.results[0] = {"missing": ["x"]}
    assert ask() is None
    assert ask() is None
    assert len(board.orders) == 1
    now[0] += 5
    assert ask() == HOLDS
    assert [key.stage for key in board.orders] == [0, 1]


def test_an_origin_that_was_away_takes_no_word_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, shards that did not come within three tries left a segment without a word for ever."""
    now = [100.0]
    monkeypatch.setattr("verifier.replay.work.time.monotonic", lambda: now[0])
    said: list[tuple[str, str]] = []
    board = Board([{"away": "503"}, {"away": "503"}, {"holds": True}])
    ask = asks(board, {"x", "y"}, said)
    for _ in range(2):
        assert ask() is None
        now[0] += 5
    assert ask() == HOLDS
    assert len(said) == 1


@pytest.mark.parametrize("result", ["dead", {"unable": "another machine"}, 7, [1], {"holds": "x"}, {}])
def test_what_has_no_answer_is_said_once_and_is_no_answer(result: Any) -> None:
    said: list[tuple[str, str]] = []
    ask = asks(Board([result]), {"x", "y"}, said)
    assert ask() is None
    assert ask() is None
    assert len(said) == 1
    assert said[0][0] == "proof"


def test_another_question_of_the_same_name_is_asked_anew() -> None:
    """On another log other bytes are named: before, the answer about the one stood for the other."""
    board = Board([{"holds": True}])
    made = Work(lambda: board, lambda _name: True, 3, lambda _subject, _why: None)
    for number in (1, 1, 2):
        made.ask(request(number=number), ())
    assert len(board.orders) == 2
    made.ask(request(number=2, blobs=("another place",)), ())
    assert len(board.orders) == 2, "where bytes may lie is no other question"


EFFORT = Effort("a configuration", 40.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("verifier.replay.work.time.monotonic", lambda: now[0])
    return now


@dataclass
class Shop:
    """Answers by place and try; what each try was given, in order."""

    results: dict[tuple[str, int], Any]
    given: list[tuple[str, float]] = field(default_factory=list)
    seen: set[Key] = field(default_factory=set)
    work: Work | None = None

    def one(self, order: Order) -> JobRow:
        if order.key not in self.seen:
            self.seen.add(order.key)
            self.given.append((_name(order), order.arguments[1]))
        result = self.results.get((_name(order), order.key.stage))
        state = JobState.DONE if result is not None else JobState.RUNNING
        return JobRow(order.key, order.task, list(order.arguments), 3, state, 1, "", 0.0, "", "", result)

    def keep(self, subjects: Collection[str]) -> None:
        self.seen = {key for key in self.seen if key.subject in subjects}

    def asking(self, said: list[str]) -> Any:
        made = Work(lambda: self, lambda _name: True, 3, lambda _subject, why: said.append(why))
        self.work = made
        return lambda name: made.ask(request(name=name), (), (), EFFORT)


def _name(order: Order) -> str:
    """A job's name without what names its question."""
    return order.key.name.split(" ")[0]


def test_a_replay_may_take_a_multiple_of_what_such_replays_take(clock: list[float]) -> None:
    shop = Shop({("1", 0): {"holds": True, "took": 2.0}, ("2", 0): {"holds": True, "took": 0.01}})
    ask = shop.asking([])
    for name in "12":
        assert ask(name) == ask(name) == HOLDS
    ask("3")
    assert shop.given == [("1", EFFORT.most / 2), ("2", MULTIPLE * 2.0), ("3", MULTIPLE * 1.005)]
    shop.results["4", 0] = {"holds": True, "took": 0.01}
    assert ask("4")
    assert ask("5") is None
    assert shop.given[-1] == ("5", LEAST_SECONDS), "a clock is not that good"


def test_what_takes_longer_gets_more_time_beside_the_rest(clock: list[float]) -> None:
    """Two slow ones are tried anew one after the other, each with a pause as long as it may take; others go on."""
    late, said = {"late": 4.0}, list[str]()
    shop = Shop({("light", 0): {"holds": True, "took": 1.0}, ("a", 0): late, ("b", 0): late})
    ask = shop.asking(said)
    assert ask("light")
    for _ in range(3):
        assert ask("a") is ask("b") is None
    assert shop.given[1:] == [("a", 4.0), ("b", 4.0), ("a", 8.0)], "b waits until a had its time and as much again"
    assert ask("light") == HOLDS
    clock[0] += 16
    ask("b")
    assert shop.given[4:] == [("b", 8.0)]
    assert len(said) == 2, "each is said once"


def test_no_try_takes_longer_than_there_is_time(clock: list[float]) -> None:
    shop = Shop({("a", number): {"late": 20.0 * min(number + 1, 2)} for number in range(9)})
    ask = shop.asking([])
    for _ in range(6):
        ask("a")
        clock[0] += 1_000
    assert [seconds for _, seconds in shop.given] == [20.0] + [EFFORT.most] * 5


def test_a_machine_without_a_finished_replay_calls_none_slow(clock: list[float]) -> None:
    """Several times what others take is slow; where nothing is known, it may be this machine."""
    shop = Shop({("a", 0): {"late": 20.0}})
    ask = shop.asking([])
    question = request(name="a")
    ask("a")
    assert shop.work is not None
    assert not shop.work.outlasted(question)
    shop.results |= {("light", 0): {"holds": True, "took": 1.0}, ("a", 1): {"late": 8.0}}
    ask("light")
    clock[0] += 1_000
    ask("a")
    assert shop.work.outlasted(question)
    shop.results["a", 2] = {"holds": True, "took": 12.0}
    clock[0] += 1_000
    assert ask("a") == HOLDS
    assert not shop.work.outlasted(question)
