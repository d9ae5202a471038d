"""A commitment begins with the start that its proof names, whatever the server lets pass: the log's paths say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from contracts.reasons import Reason
from contracts.state_layout import inner_digest
from contracts.tensorfile import pack, state_digest
from ledger import proofs
from tests.attacks.outsiders.hostile import Between, Reader, read_by, readers, seat, serve, step_all
from tests.attacks.outsiders.reading import Entry, audited
from tests.world import REJECT, TINY, World, accepted
from trainer.state import Tensors
from trainer.trajectory import InnerRunner, Trajectory, pseudo_gradient, run_inner
from verifier.errors import AuditFailed

pytestmark = pytest.mark.integration
FAR, LITTLE = np.float32(2), np.float32(0.001)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1) as made:
        yield made.start(samples=TINY.segments)


def from_elsewhere(move: Callable[[Tensors], Tensors]) -> InnerRunner:
    """Every segment is computed as it should be, from a start of the node's own."""

    def run(config: Any, start: Tensors, batches: Any, *_: Any) -> Trajectory:
        return run_inner(config, move(start), batches)

    return run


def moved(state: Tensors) -> Tensors:
    return {n: v * FAR if n.startswith("theta.") else v for n, v in state.items()}


def warmed(state: Tensors) -> Tensors:
    return {n: v + LITTLE if n.startswith("m.") else v for n, v in state.items()}


def commit(world: World, runner: InnerRunner, **changes: Any) -> str:
    """A proof whose gradient is, as a verifier wants it, the round's weights less the end."""
    work = world.train(world.nodes[0], runner)
    gradient = pseudo_gradient(work.start, work.trajectory.end_state)
    message = world.proof_message(work, pseudoGradient=state_digest(gradient), **changes)
    blob = world.blob(pack(gradient), work.node)
    return str(accepted(world.post_proof(work, message, gradient_blob=blob))["proof"])


def test_verifiers_do_not_read_a_trajectory_from_elsewhere(world: World) -> None:
    """The operator takes it, and shows openings of which every segment replays."""
    runner = from_elsewhere(moved)
    with patch.object(proofs, "check_ends", lambda *_: None):
        proof = commit(world, runner)
    everybody = readers(world)
    seat(world, proof)
    step_all(everybody)
    serve(world, proof, world.nodes[0], runner)
    step_all(everybody, 3)
    assert world.log("verdict") == []
    assert all(any("audit-failed" in said for said in reader.told("trouble")) for reader in everybody)
    with pytest.raises(AuditFailed):
        audited(world)


@pytest.mark.parametrize("name", ["first_path", "last_path"])
def test_an_audit_asks_for_both_paths(world: World, name: str) -> None:
    """An operator that does not write them, or other ones."""
    world.commit(world.nodes[0])
    audited(world)

    def without(entry: Entry) -> Entry:
        return {key: value for key, value in entry.items() if key != name}

    def other(entry: Entry) -> Entry:
        return {**entry, name: ["0x" + "07" * 32 for _ in entry[name]]} if name in entry else entry

    for change in (without, other):
        with pytest.raises(AuditFailed):
            audited(world, change)


def test_a_joiner_starts_with_no_moments(world: World) -> None:
    """The operator has the round say that the node's own moments are the accepted ones."""
    runner = from_elsewhere(warmed)
    start = inner_digest(warmed(dict(world.train(world.nodes[0]).start)))
    with patch.object(proofs, "_check_binding", lambda *_: None):
        proof = commit(world, runner, innerState=start)
    audited(world)
    reader = Reader(world, world.verifiers[0], Between)
    server, told = reader.service.client, {"digest": "0x" + start.hex(), "proof": None}
    server.lies[r"/runs/.*/rounds/.*"] = lambda view: {  # type: ignore[attr-defined]
        **view, "nodes": [{**node, "inner": told} for node in view["nodes"]],
    }  # fmt: skip
    read_by(world, proof, [reader], lambda: serve(world, proof, world.nodes[0], runner))
    (verdict,) = (entry["message"] for entry in world.log("verdict"))
    assert (verdict["outcome"], verdict["reason"]) == (REJECT, Reason.START_STATE_MISMATCH)
