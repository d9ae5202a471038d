"""The quorum: 2 of 3 decide, one rejection only makes all look, and silence is never a pass."""

from __future__ import annotations

import pytest

from contracts.reasons import Reason
from ledger import verdicts
from ledger.proofs import require_proof
from ledger.tables import Resolution, Transfer
from tests.world import ACCEPT, NO_SEGMENT, REJECT, UNDECIDED, World, check_refused

pytestmark = pytest.mark.integration


@pytest.fixture
def proof(world: World) -> str:
    """A pending proof in the verifying phase, of which every verifier draws every segment."""
    world.start(samples=world.config.segments)
    made = [world.commit(node) for node in world.nodes]
    world.step()
    return made[0]


def status(world: World, proof: str) -> tuple[str, int]:
    view = world.get(f"/proofs/{proof}/status")
    return view["state"], view["stage"]


def outcome(world: World, proof: str) -> str | None:
    """How the pending work transfer ended."""
    with world.ledger.store.read() as session:
        assert session.get_one(Transfer, proof).pending
        end = session.get(Resolution, proof)
        return end and end.outcome


def work(world: World) -> int:
    return sum(int(v) for v in world.get("/balances/work").values() if int(v) > 0)


def test_one_accept_of_three_is_not_enough(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof)
    assert (status(world, proof), outcome(world, proof), work(world)) == (("pending", 1), None, 0)


def test_two_accepts_wait_for_the_third_who_may_have_seen_more(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof)
    world.judge(world.verifiers[1], proof)
    assert status(world, proof) == ("pending", 1)
    world.judge(world.verifiers[2], proof, UNDECIDED)
    assert (status(world, proof), outcome(world, proof)) == (("posted", 1), "posted")
    assert work(world) == world.config.tokens_per_round
    credited = world.get("/balances/work")
    assert credited[world.wallets[0].address] == str(world.config.tokens_per_round)


def test_two_accepts_suffice_when_the_third_stays_silent_for_long(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof)
    world.judge(world.verifiers[1], proof)
    world.wait(2 * 200)
    world.step()
    assert not world.get(f"/proofs/{proof}/status")["pledge_wanted"]
    world.wait(1)
    world.step()
    world.own_up(proof)
    assert status(world, proof) == ("posted", 1)


@pytest.mark.parametrize("accepts", [0, 1])
def test_without_a_quorum_in_time_nothing_is_paid(world: World, proof: str, accepts: int) -> None:
    for verifier in world.verifiers[:accepts]:
        world.judge(verifier, proof)
    world.mine()
    world.step()
    world.wait(2 * 200 + 1)
    world.step()
    assert (status(world, proof), outcome(world, proof), work(world)) == (("voided", 1), "voided", 0)
    assert world.get(f"/proofs/{proof}/status")["reason"] == "quorum-missing"


def test_undecided_never_accepts(world: World, proof: str) -> None:
    """All three had a crash: the work is not paid, and the reason says that nobody judged it."""
    for verifier in world.verifiers:
        world.judge(verifier, proof, UNDECIDED)
    assert (status(world, proof), outcome(world, proof)) == (("voided", 1), "voided")
    assert world.get(f"/proofs/{proof}/status")["reason"] == "quorum-missing"


def test_one_accept_and_two_undecided_do_not_accept(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof)
    for verifier in world.verifiers[1:]:
        world.judge(verifier, proof, UNDECIDED)
    assert (status(world, proof), work(world)) == (("voided", 1), 0)


def test_one_rejection_makes_all_look_at_its_segment(world: World, proof: str) -> None:
    world.dispute(proof, segment=1)
    assert (status(world, proof), outcome(world, proof)) == (("pending", 2), None)
    (entry,) = world.log("proof-disputed")
    assert (entry["proof"], entry["disputed"]) == (proof, [1])
    for verifier in world.verifiers[1:]:
        world.judge(verifier, proof, ACCEPT)
    assert (status(world, proof), outcome(world, proof)) == (("posted", 2), "posted")


def test_the_first_stage_hears_everybody_so_that_a_liar_cannot_hide_a_fake(world: World, proof: str) -> None:
    """A friend of the node points at honest work first; the one verifier that drew the fake must still be heard."""
    friend, finder, third = world.verifiers
    world.judge(friend, proof, REJECT, segment=0)
    assert status(world, proof) == ("pending", 1)
    world.judge(finder, proof, REJECT, segment=1)
    assert status(world, proof) == ("pending", 1)
    world.judge(third, proof)
    assert status(world, proof) == ("pending", 2)
    assert world.log("proof-disputed")[0]["disputed"] == [0, 1]


def test_a_rejection_is_followed_up_though_another_verifier_stays_silent(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof, REJECT, segment=1)
    world.clock.now += 3 * int(world.run_view()["manifest"]["phaseSeconds"]) + 1
    world.step()
    assert status(world, proof) == ("pending", 2)
    assert world.log("proof-disputed")[0]["disputed"] == [1]


def test_a_liar_cannot_dispute_a_segment_that_was_not_opened(world: World) -> None:
    """What nobody drew nobody opened: at stage 2 honest work would look as if its node had withheld it."""
    world.start()  # one sample: the common segment
    proof, _ = (world.commit(node) for node in world.nodes)
    world.step()
    liar, *honest = world.verifiers
    (drawn,) = world.draw(liar, proof)
    undrawn = 1 - drawn
    for reason in (Reason.REPLAY_MISMATCH, Reason.DRIFT):
        lie = world.verdict_message(liar, proof, REJECT, segment=undrawn, reason=int(reason))
        check_refused(world.post("/verdicts", lie, liar), 422, "bad-field")
    world.judge(liar, proof, REJECT, segment=undrawn, reason=int(Reason.START_STATE_MISMATCH))
    for verifier in honest:
        world.judge(verifier, proof)
    assert world.log("proof-disputed")[0]["disputed"] == []
    none = world.verdict_message(liar, proof, REJECT, segment=undrawn)
    check_refused(world.post("/verdicts", none, liar), 422, "bad-field")
    for verifier in honest:
        world.judge(verifier, proof)
    assert status(world, proof) == ("posted", 2)


def test_two_rejections_void_with_reason_and_measure(world: World, proof: str) -> None:
    reason = int(Reason.PSEUDO_GRADIENT_MISMATCH)
    world.dispute(proof)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof, REJECT, reason=reason, measured=10**17, limit=25)
    assert (status(world, proof), outcome(world, proof), work(world)) == (("voided", 2), "voided", 0)
    view = world.get(f"/proofs/{proof}/status")
    assert (view["reason"], view["measured"], view["limit"]) == ("pseudo-gradient-mismatch", str(10**17), "25")
    (entry,) = world.log("proof-voided")
    assert (entry["reason"], entry["measured"], entry["limit"]) == ("pseudo-gradient-mismatch", str(10**17), "25")


def test_a_second_stage_without_a_quorum_is_not_paid(world: World, proof: str) -> None:
    world.dispute(proof)
    world.judge(world.verifiers[0], proof, REJECT)
    world.judge(world.verifiers[1], proof, ACCEPT)
    world.judge(world.verifiers[2], proof, UNDECIDED)
    assert (status(world, proof), work(world)) == (("voided", 2), 0)
    assert world.get(f"/proofs/{proof}/status")["reason"] == "quorum-missing"


def test_stage_one_accepts_do_not_count_at_stage_two(world: World, proof: str) -> None:
    world.judge(world.verifiers[0], proof)
    world.judge(world.verifiers[1], proof)
    world.judge(world.verifiers[2], proof, REJECT)
    assert status(world, proof) == ("pending", 2)
    world.judge(world.verifiers[0], proof)
    assert status(world, proof) == ("pending", 2)
    world.judge(world.verifiers[1], proof)
    assert status(world, proof) == ("posted", 2)


def test_an_end_rejected_without_a_segment_escalates_too(world: World, proof: str) -> None:
    world.dispute(proof, segment=NO_SEGMENT, reason=int(Reason.END_STATE_MISMATCH))
    assert status(world, proof) == ("pending", 2)
    assert world.log("proof-disputed")[0]["disputed"] == []


def test_a_decided_proof_stays_decided(world: World, proof: str) -> None:
    world.decide(proof)
    before = world.dump()
    late = world.verdict_message(world.verifiers[0], proof, REJECT, stage=2)
    assert world.post("/verdicts", late, world.verifiers[0]).json()["code"] == "round-closed"
    with world.ledger.store.write() as session:
        verdicts.decide(world.ledger, session, require_proof(session, proof))
    assert world.dump() == before
