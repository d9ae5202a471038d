"""A canary is honest work but for the one segment that it sealed, and only a replay tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.run_config import RunConfig
from tests.world import TINY, Work, World, accepted
from trainer.canary import Canary
from trainer.conduct import Job, commitment
from trainer.trajectory import Trajectory
from verifier.checks import Case, check_binding, check_end, check_segment
from verifier.errors import CheckFailed

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made.start(samples=TINY.segments)


def job_of(world: World) -> Job:
    """The first node's round."""
    node, view = world.nodes[0], world.round_view()
    start = world.train(node).start
    return Job(world.api_client(node), view, RunConfig.from_json(view["config"]), world.corpus, start)


def commit(world: World, job: Job, canary: Canary) -> tuple[str, Trajectory]:
    """Its proof, drawn by all and opened."""
    trajectory = canary.run_inner(job, lambda _step, _result: None, None)
    made = commitment(job, trajectory, canary.pledge(job))
    work = Work(world.nodes[0], job.start, trajectory, made.message)
    proof = str(accepted(world.post_proof(work, made.message))["proof"])
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    world.open_wanted(proof, work)
    return proof, trajectory


def test_only_the_sealed_segment_fails_the_replay(world: World) -> None:
    job, canary = job_of(world), Canary(1_000_000)
    proof, trajectory = commit(world, job, canary)
    honest = world.train(world.nodes[0]).trajectory
    fake = canary.pledge(job).fake
    assert trajectory.root != honest.root
    assert trajectory.boundary_entries[: fake + 1] == honest.boundary_entries[: fake + 1]
    client = world.api_client()
    case = Case(client, client.get(f"/proofs/{proof}"), world.round_view())
    check_binding(case)
    check_end(case)
    for segment in range(TINY.segments):
        if segment != fake:
            check_segment(case, segment, world.corpus)
    with pytest.raises(CheckFailed, match=f"segment {fake} replays to another state"):
        check_segment(case, fake, world.corpus)


def test_a_canary_without_a_turn_is_honest_work(world: World) -> None:
    job, canary = job_of(world), Canary(0)
    assert not canary.pledge(job).canary
    trajectory = canary.run_inner(job, lambda _step, _result: None, None)
    assert trajectory.root == world.train(world.nodes[0]).trajectory.root
