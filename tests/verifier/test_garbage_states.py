"""A node may commit to any finite bytes. What a replay makes of them is the node's doing, no failure of a verifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts.faults import COSTS_STAKE
from contracts.run_config import RunConfig
from contracts.state_layout import STEP_NAME
from tests.world import World, accepted
from trainer.batches import BatchSource
from trainer.state import Tensors
from trainer.trajectory import BoundaryRecorder, Trajectory, run_inner
from verifier.checks import Case, check_segment
from verifier.errors import CheckFailed

pytestmark = pytest.mark.integration
Spoil = Callable[[Tensors], Tensors]


def every(prefix: str, value: float) -> Spoil:
    return lambda state: {n: np.full_like(v, value) if n.startswith(prefix) else v for n, v in state.items()}


def count(steps: int) -> Spoil:
    return lambda state: {**state, STEP_NAME: np.array([steps], np.int64)}


GARBAGE: dict[str, Spoil] = {
    "weights that overflow": every("theta.", 1e38),
    "weights of one value": every("theta.", 0.0),
    "first moments that overflow": every("m.", 3e38),
    "negative second moments": every("v.", -1.0),
    "a negative count": count(-1),
    "a count before the first step": count(-2),
    "a count beyond any run": count(2**62),
    "another count": count(7),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made.start(samples=made.config.segments)


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_at_a_boundary_is_rejected_for_a_reason_that_costs_stake(world: World, name: str) -> None:
    def run(config: RunConfig, start: Tensors, batches: BatchSource, *_: object) -> Trajectory:
        real, recorder = run_inner(config, start, batches), BoundaryRecorder()
        for state in (dict(start), GARBAGE[name](dict(real.end_state)), dict(real.end_state)):
            recorder.record(state)
        return recorder.finish(list(real.losses), config.tokens_per_round)

    work = world.train(world.nodes[0], run)
    proof = str(accepted(world.post_proof(work))["proof"])
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    world.open_wanted(proof, work)
    client = world.api_client()
    case = Case(client, client.get(f"/proofs/{proof}"), world.round_view())
    for segment in range(2):
        with pytest.raises(CheckFailed) as caught:
            check_segment(case, segment, world.corpus)
        assert caught.value.reason in COSTS_STAKE
        assert caught.value.segment == segment
