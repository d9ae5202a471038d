"""A node of two processes takes part: one of them is killed in a round, and the round is done again and paid."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.node import test_node
from tests.trainer.node.test_node import Place
from tests.trainer.world import Village
from trainer.data.batches import Batch
from trainer.ranks.engine import Child
from trainer.ranks.errors import RanksDoNotDivide
from trainer.ranks.running import choose_ranks
from trainer.ranks.sharded import ShardedSteps
from trainer.steps.inner_step import StepResult

pytestmark = pytest.mark.integration


class InBlocks(Village):
    """A run whose batches are two blocks."""

    def _create(self, changes: dict[str, Any]) -> None:
        self.config = replace(self.config, batch=2, ranks=2)
        super()._create(changes)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(test_node, "Village", InBlocks)
    with ExitStack() as stack:
        yield Place(tmp_path, stack)
    choose_ranks(1)


def test_a_node_that_loses_a_process_does_its_round_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, step, children = Child.require_ready, ShardedSteps.step, list[Child]()

    def noted(child: Child, profile: str) -> None:
        ready(child, profile)
        children.append(child)

    def killing(steps: ShardedSteps, batch: Batch) -> StepResult:
        if len(children) == 1:
            os.kill(children[0].process.pid, signal.SIGKILL)
        return step(steps, batch)

    monkeypatch.setattr(Child, "require_ready", noted)
    monkeypatch.setattr(ShardedSteps, "step", killing)
    with place.node(ranks=2):
        place.until(place.posted)
    (lost,) = place.events("lost")
    assert "ended with -9" in lost.detail
    assert lost.detail.endswith("the round is done again")
    assert list((place.folder / "node" / "ranks").iterdir()) == [], "nothing is left of where they met"


def test_a_node_that_cannot_share_the_blocks_ends(place: Place) -> None:
    with pytest.raises(RanksDoNotDivide, match="--ranks 1 or 2"), place.node(ranks=3) as thread:
        place.until(lambda: not thread.is_alive())
    assert not [text for text in place.server.messages if "enrolment" in text]
