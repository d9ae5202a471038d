"""No two runs ask for one trajectory: a nonce that its creator has used for a run is used up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.messages import RunManifest, from_json, to_json
from contracts.signing import digest, sign
from contracts.tensorfile import pack
from tests.attacks.outsiders.reading import audited
from tests.world import World, check_refused, genesis, hexed
from verifier.audit import LogAudit
from verifier.errors import AuditFailed

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1) as made:
        yield made


def check_no_second_run(world: World) -> None:
    """The same trajectory in a second run, which would pay for it a second time."""
    blob = world.blob(pack(genesis(world.config)), world.creator)
    other = world.manifest_message(emission=2000)
    answer = world.post("/runs", other, world.creator, config=world.config.to_json(), genesis_blob=blob)
    check_refused(answer, 409, "message-reused")
    assert "the next is 2" in answer.json()["detail"]


def test_a_used_nonce_makes_no_second_run(world: World) -> None:
    world.create_run()
    before = world.log()
    check_no_second_run(world)
    world.restart()
    check_no_second_run(world)
    assert world.log() == before
    world.create_run(emission=2000, nonce=2)
    assert len(world.log("run-created")) == 2
    audited(world)


def test_the_same_manifest_again_is_the_same_run(world: World) -> None:
    manifest = world.manifest_message()
    blob = world.blob(pack(genesis(world.config)), world.creator)
    for _ in range(2):
        beside = {"config": world.config.to_json(), "genesis_blob": blob}
        assert world.post("/runs", manifest, world.creator, **beside).status_code == 200
    assert len(world.log("run-created")) == 1


def test_an_audit_refuses_a_nonce_used_twice(world: World) -> None:
    """An operator that lets its creator have both."""
    world.create_run()
    (entry,) = world.log("run-created")
    other = world.manifest_message(emission=2000)
    assert other.nonce == from_json(RunManifest, entry["message"]).nonce
    second = {
        **entry, "message": to_json(other), "run": hexed(digest(other, world.domain)),
        "signature": hexed(sign(other, world.domain, bytes(world.creator.key))),
    }  # fmt: skip
    audit: LogAudit = audited(world)
    with pytest.raises(AuditFailed, match="two runs of one nonce"):
        audit.take(1, json.dumps(second))
