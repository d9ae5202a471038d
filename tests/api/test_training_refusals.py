"""What the routes of a round refuse: proofs, draws, openings, verdicts and outer steps that do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from eth_utils import keccak

from contracts.messages import from_json
from contracts.reasons import Reason
from contracts.state_layout import boundary_entry
from contracts.tensorfile import pack, state_digest
from tests.api.stage import Case, Request, Stage, check_changes_nothing
from tests.world import ACCEPT, REJECT, UNDECIDED, World, check_refused, hexed

pytestmark = pytest.mark.integration
OTHER = b"\x07" * 32


def _proof_with(**companions: Any) -> Case:
    def case(s: Stage) -> Request:
        beside = {"gradient_blob": s.gradient, **s.work.paths, **companions}
        return s.sent("/proofs", s.world.proof_message(s.work), s.fresh, **beside)

    return case


def _swapped_paths(s: Stage) -> Request:
    paths = {"first_path": s.work.paths["last_path"], "last_path": s.work.paths["first_path"]}
    return _proof_with(**paths)(s)


def _other_gradient(s: Stage) -> Request:
    blob = s.world.blob(s.committed_work.gradient, s.committed)
    return s.sent("/proofs", s.world.proof_message(s.work), s.fresh, gradient_blob=blob, **s.work.paths)


def _gradient_file(data: bytes) -> Case:
    return lambda s: _proof_with(gradient_blob=s.world.blob(data, s.fresh))(s)


def _second_proof(s: Stage) -> Request:
    message = s.world.proof_message(s.committed_work, profile=OTHER)
    blob = s.world.blob(s.committed_work.gradient, s.committed)
    return s.sent("/proofs", message, s.committed, gradient_blob=blob, **s.committed_work.paths)


def _by_stranger(s: Stage) -> Request:
    message = s.world.proof_message(s.work, node=s.world.stranger.address)
    return s.sent("/proofs", message, s.world.stranger, gradient_blob=s.gradient, **s.work.paths)


def _copied(s: Stage) -> Request:
    """The silent node signs the other's work as its own: its start is the other's optimizer state."""
    message = s.world.proof_message(s.work, node=s.silent.address)
    return s.sent("/proofs", message, s.silent, gradient_blob=s.gradient, **s.work.paths)


PROOFS: dict[str, tuple[int, str, Case]] = {
    "another start": (422, "invalid-merkle-proof", lambda s: s.proof_of(startState=OTHER)),
    "another inner state": (422, "invalid-merkle-proof", lambda s: s.proof_of(innerState=OTHER)),
    "another end": (422, "invalid-merkle-proof", lambda s: s.proof_of(endState=OTHER)),
    "another inner end": (422, "invalid-merkle-proof", lambda s: s.proof_of(innerEnd=OTHER)),
    "another commitment": (422, "invalid-merkle-proof", lambda s: s.proof_of(commitment=OTHER)),
    "no boundaries": (422, "invalid-merkle-proof", lambda s: s.proof_of(boundaries=0)),
    "more boundaries": (422, "invalid-merkle-proof", lambda s: s.proof_of(boundaries=4)),
    "paths swapped": (422, "invalid-merkle-proof", _swapped_paths),
    "no paths": (422, "invalid-merkle-proof", _proof_with(first_path=[], last_path=[])),
    "data seed": (422, "binding-mismatch", lambda s: s.proof_of(dataSeed=OTHER)),
    "config": (422, "binding-mismatch", lambda s: s.proof_of(config=OTHER)),
    "fewer steps": (422, "binding-mismatch", lambda s: s.proof_of(steps=2)),
    "more tokens": (422, "binding-mismatch", lambda s: s.proof_of(tokens=s.work.message.tokens + 1)),
    "another's work": (422, "binding-mismatch", _copied),
    "gradient digest": (422, "binding-mismatch", lambda s: s.proof_of(pseudoGradient=OTHER)),
    "gradient of another": (422, "binding-mismatch", _other_gradient),
    "gradient not uploaded": (404, "not-found", _proof_with(gradient_blob="ab" * 32)),
    "gradient not safetensors": (422, "invalid-tensor-file", _gradient_file(b"\x80\x04N.")),
    "unknown run": (404, "not-found", lambda s: s.proof_of(run=OTHER)),
    "closed round": (409, "round-closed", lambda s: s.proof_of(round=1)),
    "future round": (409, "round-closed", lambda s: s.proof_of(round=3)),
    "round beyond 2^63": (422, "bad-field", lambda s: s.proof_of(round=2**64 - 1)),
    "not on the list": (403, "not-enrolled", _by_stranger),
    "second of a node": (409, "already-committed", _second_proof),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_is_refused(stage: Stage, name: str) -> None:
    status, code, case = PROOFS[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def _wrong_bytes(s: Stage) -> Request:
    """The bytes of another boundary under this boundary's digest."""
    boundary, other = s.opened[0], s.opened[-1]
    blob = s.world.opening_message(s.proof, s.committed_work, other).blob
    return s.opening_of(boundary, blob=blob)


def _another_boundary(s: Stage) -> Request:
    """Bytes and path of one boundary, claimed to be another."""
    whole = s.world.opening_message(s.proof, s.committed_work, s.opened[0])
    return s.opening_of(s.opened[1], s.opened[0], stateDigest=whole.stateDigest, blob=whole.blob)


def _tampered_state(s: Stage) -> Request:
    """A state that was never committed to, consistently signed."""
    fake = {name: value + value.dtype.type(1) for name, value in s.committed_work.trajectory.end_state.items()}
    blob = bytes.fromhex(s.world.blob(pack(fake), s.committed))
    return s.opening_of(s.opened[0], blob=blob, stateDigest=keccak(boundary_entry(fake)))


def _state(data: bytes) -> Case:
    def case(s: Stage) -> Request:
        return s.opening_of(s.opened[0], blob=bytes.fromhex(s.world.blob(data, s.committed)))

    return case


def _not_finite(value: float) -> Case:
    def case(s: Stage) -> Request:
        fake = {name: np.array(v, copy=True) for name, v in s.committed_work.trajectory.end_state.items()}
        next(v for n, v in fake.items() if n.startswith("theta.")).reshape(-1)[0] = value
        return _state(pack(fake))(s)

    return case


def _by_other_node(s: Stage) -> Request:
    opened = s.committed_work.trajectory.opening(s.opened[0])
    message = s.world.opening_message(s.proof, s.committed_work, s.opened[0])
    return s.sent("/openings", message, s.fresh, path=[hexed(n) for n in opened.proof])


OPENINGS: dict[str, tuple[int, str, Case]] = {
    "bytes of another boundary": (422, "opening-mismatch", _wrong_bytes),
    "path of another boundary": (422, "invalid-merkle-proof", lambda s: s.opening_of(s.opened[0], s.opened[1])),
    "claimed as another boundary": (422, "invalid-merkle-proof", _another_boundary),
    "boundary past the end": (422, "invalid-merkle-proof", lambda s: s.opening_of(s.opened[0], boundary=9)),
    "wrong state digest": (422, "opening-mismatch", lambda s: s.opening_of(s.opened[0], stateDigest=OTHER)),
    "blob not uploaded": (404, "not-found", lambda s: s.opening_of(s.opened[0], blob=OTHER)),
    "another state": (422, "invalid-merkle-proof", _tampered_state),
    "weights alone": (422, "invalid-tensor-file", lambda s: _state(s.committed_work.gradient)(s)),
    "NaN": (422, "invalid-tensor-file", _not_finite(float("nan"))),
    "infinity": (422, "invalid-tensor-file", _not_finite(float("inf"))),
    "not safetensors": (422, "invalid-tensor-file", _state(b"nothing of the kind")),
    "unknown proof": (404, "not-found", lambda s: s.opening_of(s.opened[0], proof=OTHER)),
    "by another node": (401, "bad-signature", _by_other_node),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_an_opening_is_refused(stage: Stage, name: str) -> None:
    status, code, case = OPENINGS[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def _draw_of_nothing(s: Stage) -> Request:
    message = replace(s.world.challenge_message(s.second, s.proof), proof=OTHER)
    return s.sent("/challenges", message, s.second)


CHALLENGES: dict[str, tuple[int, str, Case]] = {
    "wrong beacon": (422, "binding-mismatch", lambda s: s.challenge_by(s.second, beacon=OTHER)),
    "another beacon block": (422, "binding-mismatch", lambda s: s.challenge_by(s.second, beaconBlock=1)),
    "wrong link": (422, "bad-field", lambda s: s.challenge_by(s.second, link=OTHER)),
    "link of another round": (422, "bad-field", lambda s: s.challenge_by(s.second, link=s.world.link(s.second, 3))),
    "link of another verifier": (422, "bad-field", lambda s: s.challenge_by(s.second, link=s.world.link(s.third, 2))),
    "by a stranger": (403, "not-verifier", lambda s: s.challenge_by(s.world.stranger)),
    "unknown proof": (404, "not-found", _draw_of_nothing),
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_a_draw_is_refused(stage: Stage, name: str) -> None:
    status, code, case = CHALLENGES[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def test_a_draw_before_the_beacon_is_too_early(world: World) -> None:
    proof = world.start().commit(world.nodes[0])
    message = world.challenge_message(world.verifiers[0], proof)
    check_changes_nothing(world, lambda: world.post("/challenges", message, world.verifiers[0]), 425, "too-early")
    world.mine()
    assert len(world.draw(world.verifiers[0], proof)) == 1


VERDICTS: dict[str, tuple[int, str, Case]] = {
    "by a stranger": (403, "not-verifier", lambda s: s.verdict_by(s.world.stranger)),
    "by a node": (403, "not-verifier", lambda s: s.verdict_by(s.committed)),
    "contradicting one's own": (409, "already-committed", lambda s: s.verdict_by(s.first, REJECT)),
    "without a draw": (425, "too-early", lambda s: s.verdict_by(s.second, ACCEPT)),
    "rejecting without a draw": (425, "too-early", lambda s: s.verdict_by(s.second, REJECT)),
    "another stage": (409, "round-closed", lambda s: s.verdict_by(s.second, stage=2)),
    "of a decided proof": (409, "already-committed", lambda s: s.verdict_by(s.first, REJECT, s.old_proof)),
    "unknown proof": (404, "not-found", lambda s: _verdict(s, proof=OTHER)),
    "unknown outcome": (422, "bad-field", lambda s: _verdict(s, outcome=3, reason=1)),
    "unknown reason": (422, "bad-field", lambda s: _verdict(s, outcome=REJECT, reason=999, segment=0)),
    "accept with a reason": (422, "bad-field", lambda s: _verdict(s, reason=int(Reason.REPLAY_MISMATCH))),
    "reject without a reason": (422, "bad-field", lambda s: _verdict(s, outcome=REJECT, segment=0)),
    "undecided without a reason": (422, "bad-field", lambda s: _verdict(s, outcome=UNDECIDED)),
    "segment past the end": (422, "bad-field", lambda s: _verdict(s, outcome=REJECT, reason=1, segment=2)),
}  # fmt: skip


def _verdict(s: Stage, **changes: Any) -> Request:
    return s.sent("/verdicts", replace(s.world.verdict_message(s.second, s.proof), **changes), s.second)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_is_refused(stage: Stage, name: str) -> None:
    status, code, case = VERDICTS[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def test_who_anchored_after_the_beacon_neither_draws_nor_judges(world: World) -> None:
    """A hash chain made when the beacon is known could be made to miss the faked segment."""
    world.create_run()
    for node in world.nodes:
        world.enrol(node)
    for verifier in world.verifiers[:2]:
        world.anchor(verifier)
    world.step()
    proof, late = world.commit(world.nodes[0]), world.verifiers[2]
    world.mine()
    world.step()
    world.anchor(late)
    draw, verdict = world.challenge_message(late, proof), world.verdict_message(late, proof, UNDECIDED)
    check_changes_nothing(world, lambda: world.post("/challenges", draw, late), 403, "not-verifier")
    check_changes_nothing(world, lambda: world.post("/verdicts", verdict, late), 403, "not-verifier")
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof)
    assert world.get(f"/proofs/{proof}/status")["state"] == "posted"  # the late one is not waited for
    assert len(world.draw(late, world.commit(world.nodes[1]))) == 1


def test_outer_steps_are_refused(world: World) -> None:
    world.start()
    proofs = [world.commit(node) for node in world.nodes]
    verifier, stranger = world.verifiers[0], world.stranger
    theta, momentum, _ = world.outer_step()
    blobs = {"theta_blob": world.blob(pack(theta), verifier), "momentum_blob": world.blob(pack(momentum), verifier)}

    def sent(key: Any = verifier, beside: dict[str, str] = blobs, **changes: Any) -> Request:
        message = world.merge_message(key, theta=state_digest(theta), momentum=state_digest(momentum), **changes)
        return lambda: world.post("/merges", message, key, **beside)

    check_changes_nothing(world, sent(), 409, "round-closed")
    world.step()
    assert world.decide(proofs[0])["state"] == "posted"
    assert world.decide(proofs[1], REJECT)["state"] == "voided"
    world.step()
    assert world.run_view()["phase"] == "merging"
    nan = {name: np.full_like(value, np.nan) for name, value in theta.items()}
    poisoned = {**blobs, "theta_blob": world.blob(pack(nan), verifier)}
    check_changes_nothing(world, sent(accepted=OTHER), 422, "binding-mismatch")
    check_changes_nothing(world, sent(key=stranger), 403, "not-verifier")
    check_changes_nothing(world, sent(round=2), 409, "round-closed")
    check_changes_nothing(world, sent(round=2**64 - 1), 422, "bad-field")
    check_changes_nothing(world, sent(heldOutLoss=2**64 - 1), 422, "bad-field")
    check_changes_nothing(world, sent(run=OTHER), 404, "not-found")
    check_changes_nothing(world, sent(beside=poisoned), 422, "invalid-tensor-file")
    check_changes_nothing(world, sent(beside={**blobs, "theta_blob": blobs["momentum_blob"]}), 422, "binding-mismatch")
    check_changes_nothing(world, sent(beside={**blobs, "momentum_blob": "00" * 32}), 404, "not-found")
    world.post_merge(verifier)
    check_changes_nothing(world, sent(), 409, "already-committed")
    again = world.log("merge"), world.post_merge(world.verifiers[1]).status_code
    assert again == ([], 200)


def test_a_message_sent_twice_is_kept_once(world: World) -> None:
    """Retries after a lost answer: same bytes, same answer, nothing more in the ledger."""
    world.start()
    work, verifier = world.train(world.nodes[0]), world.verifiers[0]
    proof_message = world.proof_message(work)
    first = world.post_proof(work, proof_message).json()["proof"]
    before = world.dump()
    assert world.post_proof(work, proof_message).json()["proof"] == first
    assert world.dump() == before
    world.mine()
    draw = world.challenge_message(verifier, first)
    segments = world.post("/challenges", draw, verifier).json()["segments"]
    before = world.dump()
    assert world.post("/challenges", draw, verifier).json()["segments"] == segments
    assert world.dump() == before
    world.open_wanted(first, work)
    before = world.dump()
    boundary = segments[0]
    world.open_boundary(first, work, boundary)
    verdict = world.verdict_message(verifier, first)
    assert world.dump() == before
    assert world.post("/verdicts", verdict, verifier).status_code == 200
    before = world.dump()
    assert before["verdict"]
    assert world.post("/verdicts", verdict, verifier).status_code == 200
    assert world.dump() == before


def test_a_receipt_is_a_tree_head_that_holds_the_proof(world: World) -> None:
    answer = world.start().post_proof(world.train(world.nodes[0])).json()
    size = answer["receipt"]["message"]["logSize"]
    entry = world.log()[size - 1]
    assert (entry["kind"], entry["proof"]) == ("proof-submitted", answer["proof"])
    check_refused(world.client.get("/v1/proofs/0x" + "00" * 32), 404, "not-found")
    assert from_json(type(world.train(world.nodes[0]).message), entry["message"]).node == world.nodes[0].address
