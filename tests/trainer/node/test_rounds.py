"""What came of a node's work: a round that cannot be worked on is told once, and ends no process."""

from __future__ import annotations

from typing import Any, cast

import pytest

from trainer.conduct import NothingToCopy
from trainer.node.rounds import Rounds
from trainer.node.settings import NodeProgress
from trainer.node.states import StateLost
from trainer.ranks.errors import RankLost

pytestmark = pytest.mark.unit


class Shop:
    """A workshop whose task ends with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def finished(self) -> None:
        raise self.error


def rounds_of(error: Exception, said: list[NodeProgress]) -> Rounds:
    nothing: Any = None
    return Rounds(nothing, nothing, cast(Any, Shop(error)), nothing, nothing, said.append, lambda *_: None)


@pytest.mark.parametrize("error", [NothingToCopy("nobody committed"), StateLost("no moments")])
def test_a_round_that_cannot_be_worked_on_is_told(error: Exception) -> None:
    said: list[NodeProgress] = []
    rounds_of(error, said).collect(())
    assert [(line.event, line.detail) for line in said] == [("lost", str(error.args[0]))]


def test_a_round_that_lost_a_process_is_done_again() -> None:
    said: list[NodeProgress] = []
    rounds = rounds_of(RankLost("process 1, ended with -9"), said)
    rounds.collect(())
    assert [(line.event, line.detail) for line in said] == [
        ("lost", "process 1, ended with -9; the round is done again")
    ]
    assert not rounds._hopeless, "what is not hopeless is begun again"


def test_what_nobody_foresaw_ends_the_node() -> None:
    with pytest.raises(ZeroDivisionError):
        rounds_of(ZeroDivisionError(), []).collect(())
