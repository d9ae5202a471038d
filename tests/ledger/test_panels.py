"""Seats are drawn by the beacon, and whoever is late or undecided is replaced by the next in the drawn order."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.draw import panel_order
from tests.world import UNDECIDED, World, check_refused, octets

pytestmark = pytest.mark.integration
PHASE = 200


@pytest.fixture
def proof(world: World) -> str:
    """A pending proof that two of three verifiers read, its panel drawn."""
    world.start(panel=2)
    made = [world.commit(node) for node in world.nodes]
    world.mine()
    world.step()
    return made[0]


def ordered(world: World, proof: str) -> list[LocalAccount]:
    """All verifiers in the order that the beacon drew."""
    beacon = world.ledger.chain.block_hash(int(world.get(f"/proofs/{proof}")["beacon_block"]))
    order = panel_order(beacon, octets(proof), [v.address for v in world.verifiers])
    return sorted(world.verifiers, key=lambda v: order.index(v.address))


def status(world: World, proof: str) -> Any:
    return world.get(f"/proofs/{proof}/status")


def test_the_first_of_the_drawn_order_read_and_nobody_else(world: World, proof: str) -> None:
    first, second, third = ordered(world, proof)
    assert status(world, proof)["panel"] == [first.address, second.address]
    check_refused(world.post("/verdicts", world.verdict_message(third, proof, UNDECIDED), third), 403, "not-verifier")
    check_refused(world.post("/challenges", world.challenge_message(third, proof), third), 403, "not-verifier")
    for verifier in (first, second):
        world.judge(verifier, proof)
    assert status(world, proof)["state"] == "posted"


def test_every_proof_has_a_panel_of_its_own(world: World, proof: str) -> None:
    beacon = world.ledger.chain.block_hash(world.ledger.chain.head())
    seen = {panel_order(beacon, bytes([i]) * 32, [v.address for v in world.verifiers]) for i in range(60)}
    assert len(seen) == 6


def test_a_late_verifier_is_replaced_and_the_node_gets_new_time_to_open(world: World, proof: str) -> None:
    first, late, substitute = ordered(world, proof)
    world.judge(first, proof)
    begun = status(world, proof)["opening_deadline"]
    world.wait(2 * PHASE)
    world.step()
    assert status(world, proof)["panel"] == [first.address, late.address]
    world.wait(1)
    world.step()
    assert status(world, proof)["panel"] == [first.address, late.address, substitute.address]
    world.draw(substitute, proof)
    assert status(world, proof)["opening_deadline"] == begun + 2 * PHASE + 1
    world.judge(substitute, proof)
    assert status(world, proof)["state"] == "posted"
    vacated = [e for e in world.log("seat-vacated") if e["proof"] == proof]
    assert [(e["verifier"], e["why"], e["substitute"]) for e in vacated] == [(late.address, "late", substitute.address)]


def test_who_was_replaced_may_still_speak(world: World, proof: str) -> None:
    first, late, substitute = ordered(world, proof)
    world.judge(first, proof)
    world.wait(2 * PHASE + 1)
    world.step()
    world.judge(late, proof)
    assert status(world, proof)["state"] == "pending"  # the substitute was asked and is heard
    world.judge(substitute, proof)
    assert status(world, proof)["state"] == "posted"


def test_a_verifier_that_cannot_say_is_replaced_at_once(world: World, proof: str) -> None:
    first, broken, substitute = ordered(world, proof)
    world.judge(broken, proof, UNDECIDED)
    assert status(world, proof)["panel"] == [first.address, broken.address, substitute.address]
    world.judge(first, proof)
    assert status(world, proof)["state"] == "pending"
    world.judge(substitute, proof)
    assert status(world, proof)["state"] == "posted"


def test_when_nobody_is_left_to_ask_nothing_is_paid(world: World, proof: str) -> None:
    first, second, third = ordered(world, proof)
    world.judge(first, proof)
    world.judge(second, proof, UNDECIDED)
    world.judge(third, proof, UNDECIDED)
    found = status(world, proof)
    assert (found["state"], found["reason"]) == ("voided", "quorum-missing")


def test_who_is_silent_at_the_second_stage_is_replaced_too(world: World, proof: str) -> None:
    first, second, substitute = ordered(world, proof)
    world.judge(first, proof, 2)
    world.judge(second, proof)
    assert status(world, proof)["stage"] == 2
    world.judge(first, proof)
    world.wait(PHASE + PHASE + 1)
    world.step()
    world.judge(substitute, proof)
    assert status(world, proof)["state"] == "posted"


def test_one_liar_on_the_smallest_panel_cannot_keep_honest_work_unpaid(world: World, proof: str) -> None:
    honest, liar, third = ordered(world, proof)
    for _ in range(2):
        world.judge(honest, proof)
        world.judge(liar, proof, 2)
    assert status(world, proof)["panel"] == [honest.address, liar.address, third.address]
    assert [e["verifier"] for e in world.log("panel-widened")] == [third.address]
    world.judge(third, proof)
    assert status(world, proof)["state"] == "posted"


def test_a_slow_verifiers_draw_leaves_the_node_time_to_open(world: World, proof: str) -> None:
    first, slow, _ = ordered(world, proof)
    world.draw(first, proof)
    world.wait(PHASE + 50)
    world.draw(slow, proof)
    assert status(world, proof)["opening_deadline"] == world.clock.now + PHASE


def test_a_panel_that_could_never_accept_is_refused(world: World) -> None:
    blob = world.start().run_view()["genesis_blob"]
    message = world.manifest_message(panel=1, nonce=9)
    answer = world.post("/runs", message, world.creator, config=world.config.to_json(), genesis_blob=blob)
    check_refused(answer, 422, "bad-field")
    assert "panel must be 0 for all verifiers, or at least 2" in answer.json()["detail"]
