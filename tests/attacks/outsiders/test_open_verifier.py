"""One corrupt verifier of three, where two decide, has honest work void or spares a cheat."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.reasons import Reason
from tests.attacks.outsiders.hostile import PHASE, happened, must_be, seat, state_of, still_open
from tests.world import ACCEPT, REJECT, Place, StillChain, World, accepted

pytestmark = pytest.mark.integration
STAKE = 10**15


@pytest.fixture(scope="module")
def place() -> Place:
    """No test here settles an epoch."""
    return Place(chain=StillChain)


def staked(folder: Path, place: Place) -> World:
    """The node of a run that takes stakes has one."""
    world = World(folder / "world", place, nodes=1)
    world.stake_node(world.nodes[0], STAKE)
    return world


def begun(world: World) -> str:
    """A proof whose panel is drawn."""
    world.start(auditFloor=500_000, nodeStake=STAKE, samples=world.config.segments)
    proof = world.commit(world.nodes[0])
    seat(world, proof)
    return proof


@still_open("F7: rule J10")
def test_one_reason_that_costs_nothing_spares_the_stake(tmp_path: Path, place: Place) -> None:
    """F7: the first address that rejects gives the reason, though the others say what costs stake."""
    with staked(tmp_path, place) as world:
        proof, (corrupt, *honest) = begun(world), world.verifiers
        world.judge(corrupt, proof, REJECT)
        for verifier in honest:
            world.judge(verifier, proof, REJECT, segment=1)
        world.judge(corrupt, proof, REJECT, reason=int(Reason.PROFILE_UNSUPPORTED))
        world.judge(honest[0], proof, REJECT, segment=1)
        happened(state_of(world, proof)[0] == "voided")
        unheard = world.verdict_message(honest[1], proof, REJECT, segment=1)
        world.post("/verdicts", unheard, honest[1])
        world.wait(PHASE + 1)
        world.step()
        must_be([fault["proof"] for fault in world.get(f"/runs/{world.run}/node-faults")], [proof])


def one_lies_one_is_away(world: World, proof: str, truth: int) -> None:
    """The first says the contrary of the truth, the second the truth, and the third is away for two phases."""
    lie = REJECT if truth == ACCEPT else ACCEPT
    liar, honest, _away = world.verifiers
    for said in (1, 2):
        happened(world.get(f"/proofs/{proof}")["stage"] == said)
        world.judge(liar, proof, lie)
        world.judge(honest, proof, truth)
        world.wait(2 * PHASE + 1)
        world.step()


@still_open("F32: rule J8")
def test_a_liar_while_another_is_away_voids_honest_work(tmp_path: Path, place: Place) -> None:
    """F32: nobody is left who could outvote it, and no appeal is open to who lost no replay."""
    with staked(tmp_path, place) as world:
        proof = begun(world)
        one_lies_one_is_away(world, proof, ACCEPT)
        must_be(state_of(world, proof), ("pending", None))


@still_open("F32: rule J8")
def test_a_liar_while_another_is_away_spares_a_cheat(tmp_path: Path, place: Place) -> None:
    """F32: the third finds the fake when it is back, and nobody takes its word any more."""
    with staked(tmp_path, place) as world:
        proof, back = begun(world), world.verifiers[2]
        one_lies_one_is_away(world, proof, REJECT)
        answer = world.post("/verdicts", world.verdict_message(back, proof, REJECT, stage=2), back)
        must_be((state_of(world, proof)[0], answer.status_code), ("voided", 200))
        accepted(answer)
