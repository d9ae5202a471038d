"""In a bounded run an appeal goes to the panel at once, which replays the segment and holds it against the limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.bounded_world import OTHER_WAY, bounded_world
from tests.world import REJECT, World, accepted
from trainer import cheats
from trainer.trajectory import InnerRunner, run_inner
from trainer.variants import Variant, choose
from verifier import appeals
from verifier.checks import Case
from verifier.errors import CannotJudge

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with bounded_world(tmp_path / "bounded") as (made, _):
        yield made.start(samples=made.config.segments)
    choose(Variant())


def rejected(world: World, way: Variant, runner: InnerRunner = run_inner) -> str:
    """A proof of another machine that k verifiers rejected."""
    choose(way)
    work = world.train(world.nodes[0], runner)
    proof = str(accepted(world.post_proof(work))["proof"])
    choose(Variant())
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    world.open_wanted(proof, work)
    world.dispute(proof)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof, REJECT)
    return proof


def appealed(world: World, proof: str) -> Any:
    world.appeal(proof)
    for _ in range(3):
        world.mine()
        world.step()
    return world.get(f"/appeals/{proof}")


def ruling(world: World, proof: str) -> bool:
    client = world.api_client(world.verifiers[2])
    case = Case(client, client.get(f"/proofs/{proof}"), world.round_view(1))
    return appeals.judge(case, world.get(f"/appeals/{proof}"), world.corpus)


def test_honest_work_of_another_machine_is_restored_without_a_bisection(world: World) -> None:
    proof = rejected(world, OTHER_WAY)
    appeal = appealed(world, proof)
    assert (appeal["state"], appeal["moves"], appeal["silent"]) == ("panel", [], None)
    assert ruling(world, proof) is True


def test_a_cheat_on_another_machine_loses_its_appeal(world: World) -> None:
    proof = rejected(world, OTHER_WAY, cheats.runner("learning-rate-99"))
    assert appealed(world, proof)["state"] == "panel"
    assert ruling(world, proof) is False


def test_who_has_no_limits_for_the_machine_does_not_rule(world: World) -> None:
    proof = rejected(world, Variant(adamw="loop"))
    appealed(world, proof)
    with pytest.raises(CannotJudge, match="no limits"):
        ruling(world, proof)
