"""Who computes and owns what, and which runs a node of several processes can share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.protocol.run_config import RunConfig
from trainer.node.answering import Answers
from trainer.ranks.errors import RanksDoNotDivide
from trainer.ranks.running import choose_ranks, require_ranks
from trainer.ranks.sharded import owners_of

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _alone_again() -> Iterator[None]:
    yield
    choose_ranks(1)


def test_owners_have_about_the_same_and_everybody_agrees() -> None:
    sizes = {"a": 100, "b": 60, "c": 50, "d": 7, "e": 7}
    owners = owners_of(sizes, 2)
    assert owners == owners_of(dict(sizes), 2)
    owned = [sum(size for size, owner in zip(sizes.values(), owners, strict=True) if owner == n) for n in (0, 1)]
    assert sorted(owned) == [110, 114]
    assert owners_of({"a": 1}, 3) == (0,), "more processes than tensors"


@pytest.mark.parametrize(("processes", "ranks"), [(1, 1), (1, 6), (2, 6), (3, 6), (6, 6)])
def test_processes_that_divide_the_blocks_share_them(processes: int, ranks: int) -> None:
    choose_ranks(processes)
    require_ranks(RunConfig(batch=12, ranks=ranks))


@pytest.mark.parametrize(("processes", "ranks"), [(2, 1), (4, 6), (12, 6)])
def test_other_processes_are_refused_with_those_that_fit(processes: int, ranks: int) -> None:
    choose_ranks(processes)
    with pytest.raises(RanksDoNotDivide, match=f"{ranks} blocks, and {processes} processes.*--ranks 1"):
        require_ranks(RunConfig(batch=12, ranks=ranks))


def test_a_node_that_cannot_share_signs_nothing() -> None:
    """It is refused before it enrols: nothing but the run and its name is asked."""
    config = replace(RunConfig(), ranks=2)
    choose_ranks(3)
    created = SimpleNamespace(run="0x" + "ab" * 32)
    run: Any = SimpleNamespace(nodes={}, created=created, over=False, config=config.to_json())
    log: Any = SimpleNamespace(state=SimpleNamespace(size=1))
    nothing: Any = SimpleNamespace(payout=None, address="0x")
    answers = Answers(nothing, log, nothing, nothing, nothing, nothing, nothing)
    with pytest.raises(RanksDoNotDivide):
        answers.take_place(run, leaving=False)
