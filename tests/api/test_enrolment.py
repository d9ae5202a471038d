"""Runs, nodes, verifiers and leases: who may enter, once, and under which terms."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from contracts.tensorfile import pack, state_digest
from tests.api.stage import Case, Request, Stage, check_changes_nothing
from tests.world import World, accepted
from trainer.state import initial_theta

pytestmark = pytest.mark.integration
OTHER = b"\x07" * 32


class _Trap:
    """Unpickling this would end the server."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exit, (1,))


def _torch_file(tensors: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}, file)
    return file.getvalue()


def _as_int32(data: bytes) -> bytes:
    """The same file with its tensors called int32, a dtype that no state has."""
    return data.replace(b'"F32"', b'"I32"')


def _run(s: Stage, config: str | None = None, blob: str | None = None, **changes: Any) -> Request:
    message = replace(s.world.manifest_message(), **{"nonce": 5, **changes})
    beside = {"config": config or s.world.config.to_json(), "genesis_blob": blob or s.world.run_view()["genesis_blob"]}
    return s.sent("/runs", message, s.world.creator, **beside)


def _genesis(make: Callable[[dict[str, Any]], bytes], **changes: Any) -> Case:
    """A run whose genesis blob is made of the true weights by `make`."""

    def case(s: Stage) -> Request:
        return _run(s, blob=s.world.blob(make(dict(initial_theta(s.world.config))), s.world.creator), **changes)

    return case


def _with_nan(theta: dict[str, Any]) -> bytes:
    return pack({name: np.full_like(value, np.nan) for name, value in theta.items()})


def _by_node(s: Stage) -> Request:
    message = s.world.manifest_message(creator=s.fresh.address, nonce=5)
    genesis = s.world.run_view()["genesis_blob"]
    return s.sent("/runs", message, s.fresh, config=s.world.config.to_json(), genesis_blob=genesis)


def _config_with(s: Stage, **changes: Any) -> str:
    return json.dumps(json.loads(s.world.config.to_json()) | changes)


RUNS: dict[str, tuple[int, str, Case]] = {
    "not the creator": (422, "binding-mismatch", _by_node),
    "another model": (422, "binding-mismatch", lambda s: _run(s, model=OTHER)),
    "another config": (422, "binding-mismatch", lambda s: _run(s, config=replace(s.world.config, steps=8).to_json())),
    "config not JSON": (422, "invalid-run-config", lambda s: _run(s, config="{")),
    "unknown config key": (422, "invalid-run-config", lambda s: _run(s, config=_config_with(s, more=1))),
    "config out of range": (422, "invalid-run-config", lambda s: _run(s, config=_config_with(s, inner_lr="7"))),
    "no rounds in an epoch": (422, "bad-field", lambda s: _run(s, roundsPerEpoch=0)),
    "an emission of nothing": (422, "bad-field", lambda s: _run(s, emission=0)),
    "no nodes": (422, "bad-field", lambda s: _run(s, minNodes=0)),
    "no samples": (422, "bad-field", lambda s: _run(s, samples=0)),
    "no lease": (422, "bad-field", lambda s: _run(s, leaseSeconds=0)),
    "another genesis": (422, "binding-mismatch", lambda s: _run(s, genesis=OTHER)),
    "genesis not uploaded": (404, "not-found", lambda s: _run(s, blob="ab" * 32)),
    "pickle": (422, "invalid-tensor-file", _genesis(lambda theta: pickle.dumps(_Trap()))),
    "torch.save file": (422, "invalid-tensor-file", _genesis(_torch_file)),
    "empty file": (422, "invalid-tensor-file", _genesis(lambda theta: b"")),
    "truncated file": (422, "invalid-tensor-file", _genesis(lambda theta: pack(theta)[:-1])),
    "trailing bytes": (422, "invalid-tensor-file", _genesis(lambda theta: pack(theta) + bytes(8))),
    "NaN": (422, "invalid-tensor-file", _genesis(_with_nan)),
    "dtype that no state has": (422, "invalid-tensor-file", _genesis(lambda theta: _as_int32(pack(theta)))),
    "float64 weights": (
        422, "invalid-tensor-file", _genesis(lambda theta: pack({n: v.astype("f8") for n, v in theta.items()}))
    ),
    "moments beside the weights": (
        422, "invalid-tensor-file", _genesis(lambda theta: pack({**theta, "m.x": np.zeros(1, "f4")}))
    ),
    "other weights": (422, "binding-mismatch", _genesis(lambda t: pack({n: v + np.float32(1) for n, v in t.items()}))),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_refused(stage: Stage, name: str) -> None:
    status, code, case = RUNS[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def _under_other_path(s: Stage) -> Request:
    message = s.world.enrolment_message(s.world.stranger)
    return s.sent(f"/runs/0x{'ab' * 32}/nodes", message, s.world.stranger, from_round=1)


def _anchor(s: Stage, path: str | None = None, **changes: Any) -> Request:
    message = s.world.anchor_message(s.first, **changes)
    return s.sent(path or f"/runs/0x{message.run.hex()}/verifiers", message, s.first)


def _stranger_anchors(s: Stage) -> Request:
    return s.sent(f"/runs/{s.world.run}/verifiers", s.world.anchor_message(s.world.stranger), s.world.stranger)


def _beat(s: Stage, **changes: Any) -> Request:
    key = s.world.stranger if changes.get("node") == s.world.stranger.address else s.fresh
    return s.sent("/heartbeats", replace(s.world.heartbeat_message(s.fresh), **changes), key)


def _nonce_again(s: Stage) -> Request:
    return s.enrolment_of(s.fresh, nonce=1, deadline=s.world.deadline() + 1)


ENTRIES: dict[str, tuple[int, str, Case]] = {
    "nonce used by another message": (409, "message-reused", _nonce_again),
    "nonce below the last": (409, "message-reused", lambda s: s.enrolment_of(s.fresh, nonce=0)),
    "another payout address": (
        409, "already-committed", lambda s: s.enrolment_of(s.fresh, payout=s.world.stranger.address)
    ),
    "node of an unknown run": (404, "not-found", lambda s: s.sent(
        f"/runs/0x{OTHER.hex()}/nodes", s.world.enrolment_message(s.fresh, run=OTHER), s.fresh, from_round=1)),
    "run of the path is another": (422, "bad-field", _under_other_path),
    "anchor under another path": (422, "bad-field", lambda s: _anchor(s, path=f"/runs/0x{OTHER.hex()}/verifiers")),
    "anchor in an unknown run": (404, "not-found", lambda s: _anchor(s, run=OTHER)),
    "another hash chain": (409, "already-committed", lambda s: _anchor(s, anchor=OTHER)),
    "anchor of a stranger": (403, "not-verifier", _stranger_anchors),
    "heartbeat for a closed round": (403, "not-enrolled", lambda s: _beat(s, round=9)),
    "heartbeat of a stranger": (403, "not-enrolled", lambda s: _beat(s, node=s.world.stranger.address)),
    "heartbeat beyond any round": (422, "bad-field", lambda s: _beat(s, round=2**64 - 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_refused(stage: Stage, name: str) -> None:
    status, code, case = ENTRIES[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def test_enrolling_with_the_same_message_changes_nothing(world: World) -> None:
    """A retry after a lost answer succeeds; a replay cannot bring back who has left."""
    world.create_run()
    node, message = world.nodes[0], world.enrolment_message(world.nodes[0], deadline=world.deadline(3600))
    for other in (*world.nodes[1:], *world.verifiers):
        world.enrol(other) if other in world.nodes else world.anchor(other)

    def send() -> Any:
        return accepted(world.post(f"/runs/{world.run}/nodes", message, node, from_round=1))

    send()
    before = world.dump()
    send()
    assert world.dump() == before
    world.step()
    world.wait(121)
    world.step()
    assert all(n["lapsed"] for n in world.round_view(1)["nodes"])
    before = world.dump()
    send()
    assert world.dump() == before
    assert not any(n["active"] for n in world.run_view()["nodes"])
    world.enrol(node, nonce=2)
    assert [n["node"] for n in world.run_view()["nodes"] if n["active"]] == [node.address]


def test_a_run_is_created_once_and_its_canonical_config_is_kept(world: World) -> None:
    world.create_run()
    before = world.dump()
    spaced = json.dumps(json.loads(world.config.to_json()), indent=2)
    genesis = world.run_view()["genesis_blob"]
    answer = world.post("/runs", world.manifest_message(), world.creator, config=spaced, genesis_blob=genesis)
    assert accepted(answer)["run"] == world.run
    assert world.dump() == before
    other = accepted(
        world.post("/runs", world.manifest_message(nonce=2), world.creator, config=spaced, genesis_blob=genesis)
    )["run"]
    assert other != world.run
    assert world.get(f"/runs/{other}")["config"] == world.config.to_json()
    assert world.run_view()["manifest"]["genesis"] == "0x" + state_digest(initial_theta(world.config)).hex()


def test_a_heartbeat_moves_the_lease_and_the_step(world: World) -> None:
    world.start()
    node = world.nodes[0]
    world.wait(119)
    accepted(world.post("/heartbeats", world.heartbeat_message(node, step=3), node))
    world.wait(2)
    world.step()
    places = {n["node"]: (n["lapsed"], n["step"]) for n in world.round_view()["nodes"]}
    assert places == {node.address: (False, 3), world.nodes[1].address: (True, 0)}
    lapsed, message = world.nodes[1], world.heartbeat_message(world.nodes[1])
    check_changes_nothing(world, lambda: world.post("/heartbeats", message, lapsed), 403, "not-enrolled")
