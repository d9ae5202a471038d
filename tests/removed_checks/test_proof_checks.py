"""Each numbered check of a proof (verifier/checks.py), on a proof that fails this one and passes those before it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from eth_account.signers.local import LocalAccount

from contracts.errors import BadSignature
from contracts.messages import Message, to_json
from contracts.reasons import Reason
from contracts.signing import digest, sign
from contracts.tensorfile import pack, state_digest
from tests.world import Place, Work, World, accepted, hexed
from trainer import cheats
from verifier.checks import Case, check_binding, check_end, check_segment
from verifier.errors import CannotJudge, CheckFailed

pytestmark = pytest.mark.integration
OTHER = b"\x07" * 32


class Desk:
    """Three opened proofs of one round: an honest one, one of faked work, one with a made-up pseudo-gradient."""

    def __init__(self, world: World) -> None:
        self.world = world.start(samples=world.config.segments)
        self.node, cheat, forger = world.nodes
        self.work = world.train(self.node)
        self.honest = self._open(self.work, world.commit(self.node))
        faked = world.train(cheat, cheats.runner("learning-rate-99"))
        self.faked = self._open(faked, str(accepted(world.post_proof(faked))["proof"]))
        self.forged = self._forge(world.train(forger))

    def _forge(self, work: Work) -> Case:
        gradient = {name: value * np.float32(2) for name, value in work.trajectory.pseudo_gradient.items()}
        message = self.world.proof_message(work, pseudoGradient=state_digest(gradient))
        blob = self.world.blob(pack(gradient), work.node)
        return self._open(work, str(accepted(self.world.post_proof(work, message, gradient_blob=blob))["proof"]))

    def _open(self, work: Work, proof: str) -> Case:
        self.world.draw(self.world.verifiers[0], proof)
        self.world.open_wanted(proof, work)
        client = self.world.api_client(self.world.verifiers[0])
        return Case(client, client.get(f"/proofs/{proof}"), self.world.round_view(1))

    def envelope(self, message: Message, key: LocalAccount) -> dict[str, Any]:
        """A message as the API shows it."""
        return {"message": to_json(message), "signature": hexed(sign(message, self.world.domain, bytes(key.key)))}


@pytest.fixture(scope="module")
def desk(shared_place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with World(tmp_path_factory.mktemp("desk") / "world", shared_place, nodes=3) as world:
        yield Desk(world)


@contextmanager
def rejected(reason: Reason, segment: int = 0) -> Iterator[None]:
    with pytest.raises(CheckFailed) as caught:
        yield
    assert (caught.value.reason, caught.value.segment) == (reason, segment), caught.value.detail


def shown(case: Case, **changes: Any) -> Case:
    """The same proof, shown otherwise by a server that lies."""
    return replace(case, view={**copy.deepcopy(case.view), **changes})


def opening(case: Case, boundary: int, **changes: Any) -> dict[str, Any]:
    return {**case.view["openings"], str(boundary): {**case.view["openings"][str(boundary)], **changes}}


def test_honest_work_passes_every_check(desk: Desk) -> None:
    check_binding(desk.honest)
    replayed = [check_segment(desk.honest, s, desk.world.corpus) for s in range(desk.honest.config.segments)]
    assert [r.comparison.error for r in replayed] == [0, 0]
    assert sum(len(r.trace) for r in replayed) == 32  # of the common segment
    check_end(desk.honest)


def test_a_proof_of_another_round_is_rejected(desk: Desk) -> None:
    for change in ({"data_seed": hexed(OTHER)}, {"theta": {**desk.honest.round["theta"], "digest": hexed(OTHER)}}):
        with rejected(Reason.START_STATE_MISMATCH):
            check_binding(replace(desk.honest, round={**desk.honest.round, **change}))


def test_another_accepted_optimizer_state_is_rejected(desk: Desk) -> None:
    nodes = copy.deepcopy(desk.honest.round["nodes"])
    next(n for n in nodes if n["node"] == desk.node.address)["inner"]["digest"] = hexed(OTHER)
    with rejected(Reason.START_STATE_MISMATCH):
        check_binding(replace(desk.honest, round={**desk.honest.round, "nodes": nodes}))


def test_a_commitment_signed_by_another_is_not_read(desk: Desk) -> None:
    message = desk.world.proof_message(desk.work)
    with pytest.raises(BadSignature):
        check_binding(shown(desk.honest, **desk.envelope(message, desk.world.stranger)))


def test_a_segment_that_replays_to_another_state_is_rejected(desk: Desk) -> None:
    check_binding(desk.faked)
    for segment in range(desk.faked.config.segments):
        with rejected(Reason.REPLAY_MISMATCH, segment):
            check_segment(desk.faked, segment, desk.world.corpus)


def test_a_withheld_opening_is_rejected(desk: Desk) -> None:
    openings = {name: o for name, o in desk.honest.view["openings"].items() if name != "1"}
    with rejected(Reason.OPENING_WITHHELD):
        check_segment(shown(desk.honest, openings=openings), 0, desk.world.corpus)


def test_an_opening_that_contradicts_itself_is_rejected(desk: Desk) -> None:
    """The node signed one state's digest and another's bytes."""
    other = desk.work.trajectory
    for changes in ({"blob": blake3(other.packed_state(2)).digest()}, {"stateDigest": OTHER}):
        message = desk.world.opening_message(desk.honest.view["proof"], desk.work, 1, **changes)
        openings = opening(desk.honest, 1, **desk.envelope(message, desk.node))
        with rejected(Reason.OPENING_INVALID, 1):
            check_segment(shown(desk.honest, openings=openings), 1, desk.world.corpus)


def test_a_state_that_was_not_committed_to_is_no_opening(desk: Desk) -> None:
    """The node's own state of another boundary, or a path that leads elsewhere: nobody signed a path."""
    other = desk.honest.view["openings"]["2"]
    for changes in (other, {"path": other["path"]}, {"path": []}, {"path": "nonsense"}, {"message": {}}):
        with pytest.raises(CannotJudge):
            check_segment(shown(desk.honest, openings=opening(desk.honest, 1, **changes)), 1, desk.world.corpus)


def test_an_opening_signed_by_another_is_none(desk: Desk) -> None:
    boundary = 1
    message = desk.world.opening_message(desk.honest.view["proof"], desk.work, boundary)
    openings = opening(desk.honest, boundary, **desk.envelope(message, desk.world.stranger))
    with pytest.raises(CannotJudge):
        check_segment(shown(desk.honest, openings=openings), 1, desk.world.corpus)


def committed_as(desk: Desk, **changes: Any) -> Case:
    """The honest trajectory under a proof that names other things of it, signed and opened by its node."""
    message = desk.world.proof_message(desk.work, **changes)
    proof, honest = hexed(digest(message, desk.world.domain)), desk.honest.view["openings"]
    openings = {
        name: {**given, **desk.envelope(desk.world.opening_message(proof, desk.work, int(name)), desk.node)}
        for name, given in honest.items()
    }
    return shown(desk.honest, proof=proof, openings=openings, **desk.envelope(message, desk.node))


def test_a_start_that_is_not_the_first_boundary_is_rejected(desk: Desk) -> None:
    for changes in ({"startState": OTHER}, {"innerState": OTHER}):
        case = committed_as(desk, **changes)
        with rejected(Reason.START_STATE_MISMATCH):
            check_segment(case, 0, desk.world.corpus)


def test_an_end_that_is_not_the_last_boundary_is_rejected(desk: Desk) -> None:
    for changes in ({"endState": OTHER}, {"innerEnd": OTHER}):
        with rejected(Reason.END_STATE_MISMATCH, desk.honest.last_segment):
            check_end(committed_as(desk, **changes))


def test_a_commitment_whose_ends_are_not_proven_is_not_judged(desk: Desk) -> None:
    for changes in ({"first_path": []}, {"last_path": desk.honest.view["first_path"]}, {"first_path": None}):
        with pytest.raises(CannotJudge):
            check_binding(shown(desk.honest, **changes))


def test_a_pseudo_gradient_that_does_not_follow_is_rejected(desk: Desk) -> None:
    check_binding(desk.forged)
    with rejected(Reason.PSEUDO_GRADIENT_MISMATCH, desk.forged.last_segment):
        check_end(desk.forged)


def test_bytes_of_another_gradient_than_the_signed_one_say_nothing(desk: Desk) -> None:
    with pytest.raises(CannotJudge):
        check_end(shown(desk.honest, gradient_blob=desk.forged.view["gradient_blob"]))
