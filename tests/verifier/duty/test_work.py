"""Questions to workers: asked when their bytes are here, answered once, and asked anew where bytes were lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from verifier.duty import work
from verifier.duty.work import Work
from verifier.jobs import Job, Key, Order, State

pytestmark = pytest.mark.unit


@dataclass
class Board:
    """Answers each try with the next result; None while there is none."""

    results: list[Any]
    orders: dict[Key, Order] = field(default_factory=dict)

    def one(self, order: Order) -> Job:
        self.orders.setdefault(order.key, order)
        result = self.results[order.key.stage]
        state = State.DEAD if result == "dead" else State.DONE if result is not None else State.RUNNING
        return Job(order.key, order.task, list(order.arguments), 3, state, 3, "", 0.0, "", "it broke", result)


def asks(board: Board, has: set[str], said: list[tuple[str, str]]) -> Any:
    made = Work(lambda: board, has.__contains__, 3, lambda subject, why: said.append((subject, why)))
    return lambda: made.ask("proof", "hold", "duty.hold", {"a": 1}, ("x",), (("y", "z"), ()))


def test_nothing_is_asked_before_the_bytes_are_here() -> None:
    board, has = Board([{"holds": True}]), set[str]()
    ask = asks(board, has, [])
    for name in ("x", "z"):
        assert ask() is None
        assert board.orders == {}
        has.add(name)
    assert ask() == {"holds": True}
    (order,) = board.orders.values()
    assert (order.task, order.arguments, order.allowed) == ("duty.hold", ({"a": 1},), 3)


def test_bytes_that_a_worker_did_not_find_make_it_ask_anew_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(work.time, "monotonic", lambda: now[0])
    board = Board([None, {"holds": True}])
    ask = asks(board, {"x", "y"}, [])
    assert ask() is None
    board.results[0] = {"missing": ["x"]}
    assert ask() is None
    assert ask() is None
    assert len(board.orders) == 1
    now[0] += 5
    assert ask() == {"holds": True}
    assert [key.stage for key in board.orders] == [0, 1]


@pytest.mark.parametrize("result", ["dead", {"unable": "another machine"}, 7, [1]])
def test_what_has_no_answer_is_said_once_and_is_no_answer(result: Any) -> None:
    said: list[tuple[str, str]] = []
    ask = asks(Board([result]), {"x", "y"}, said)
    assert ask() is None
    assert ask() is None
    assert len(said) == 1
    assert said[0][0] == "proof"
