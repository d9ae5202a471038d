"""Every proof seals what its node thinks of it. It is opened when all have spoken, and a canary is never paid."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.pledge import Pledge
from tests.api.stage import check_changes_nothing
from tests.world import REJECT, World, accepted, check_refused

pytestmark = pytest.mark.integration
SALT = b"\x07" * 32
PHASE = 200


@pytest.fixture
def node(world: World) -> LocalAccount:
    return world.nodes[0]


def committed(world: World, node: LocalAccount, fake: int | None = None, **changes: Any) -> str:
    """A pending proof of that node, a canary if it says which segment is bad, and one of the other node."""
    world.start(**changes)
    if fake is not None:
        world.pledges[node.address] = Pledge(SALT, fake)
    proof, _ = (world.commit(n) for n in world.nodes)
    world.step()
    return proof


def status(world: World, proof: str) -> tuple[str, int, str | None]:
    view = world.get(f"/proofs/{proof}/status")
    return view["state"], view["stage"], view["reason"]


def accept_unread(world: World, proof: str) -> None:
    """All verifiers accept, as long as they are asked."""
    stage = status(world, proof)[:2]
    for verifier in world.verifiers:
        if status(world, proof)[:2] == stage:
            world.judge(verifier, proof)


def paid(world: World) -> int:
    return sum(int(v) for v in world.get("/balances/work").values() if int(v) > 0)


def test_a_pledge_stays_sealed_until_all_have_spoken(world: World, node: LocalAccount) -> None:
    proof = committed(world, node)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof)
    check_changes_nothing(world, lambda: world.post("/pledges", world.pledge_message(proof), node), 425, "too-early")
    assert world.get(f"/proofs/{proof}")["pledge"] is None
    world.judge(world.verifiers[2], proof)
    assert status(world, proof) == ("posted", 1, None)
    assert world.get(f"/proofs/{proof}")["pledge"]["message"]["fake"] == 2**32 - 1


@pytest.mark.parametrize("change", [{"fake": 0}, {"salt": bytes(32)}])
def test_no_other_pledge_than_the_sealed_one_is_taken(world: World, node: LocalAccount, change: Any) -> None:
    proof = committed(world, node)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
        accepted(world.post("/verdicts", world.verdict_message(verifier, proof), verifier))
    other = world.pledge_message(proof, **change)
    check_changes_nothing(world, lambda: world.post("/pledges", other, node), 422, "opening-mismatch")
    stranger = world.stranger
    check_refused(world.post("/pledges", world.pledge_message(proof), stranger), 401, "bad-signature")
    assert status(world, proof) == ("pending", 1, None)
    world.own_up(proof)
    assert status(world, proof) == ("posted", 1, None)


def test_who_does_not_open_its_pledge_is_not_paid(world: World, node: LocalAccount) -> None:
    proof = committed(world, node)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
        accepted(world.post("/verdicts", world.verdict_message(verifier, proof), verifier))
    world.wait(PHASE)
    world.step()
    assert status(world, proof) == ("pending", 1, None)
    world.wait(1)
    world.step()
    assert status(world, proof) == ("voided", 1, "pledge-withheld")
    assert paid(world) == 0


def test_a_canary_that_nobody_could_have_seen_is_not_paid(world: World, node: LocalAccount) -> None:
    """A bad segment that no verifier drew blames nobody."""
    proof = committed(world, node, fake=77)
    accept_unread(world, proof)
    assert status(world, proof) == ("voided", 1, "canary")
    assert paid(world) == 0
    assert world.get(f"/runs/{world.run}/faults") == []


def test_a_canary_that_was_passed_is_replayed_by_all_and_names_who_passed_it(alone: World) -> None:
    """Everybody draws everything and accepts it unread; at stage 2 all see that it is bad."""
    proof = committed(alone, alone.nodes[0], fake=0, samples=alone.config.segments)
    accept_unread(alone, proof)
    assert status(alone, proof) == ("pending", 2, None)
    assert alone.log("proof-disputed")[-1]["disputed"] == [0]
    for verifier in alone.verifiers:
        if status(alone, proof)[0] == "pending":
            alone.judge(verifier, proof, REJECT)
    assert status(alone, proof) == ("voided", 2, "replay-mismatch")
    alone.wait(PHASE + 1)
    alone.step()
    passed = {f["verifier"] for f in alone.get(f"/runs/{alone.run}/faults") if f["fault"] == "passed-a-fake"}
    assert passed == {verifier.address for verifier in alone.verifiers}


def test_a_canary_that_turns_out_sound_is_still_not_paid(world: World, node: LocalAccount) -> None:
    proof = committed(world, node, fake=0, samples=world.config.segments)
    accept_unread(world, proof)
    assert status(world, proof) == ("pending", 2, None)
    accept_unread(world, proof)
    assert status(world, proof) == ("voided", 2, "canary")
    assert paid(world) == 0
