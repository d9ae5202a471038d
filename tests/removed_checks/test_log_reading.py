"""What a verifier notices that reads the log itself: payouts, quorums and a history that do not hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_utils import keccak

from contracts.draw import panel_order
from contracts.messages import PledgeOpening, TreeHead, from_json, to_json
from contracts.signing import sign
from tests.world import Place, World, hexed, octets
from trainer.client import ApiClient
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of
from verifier.errors import AuditFailed
from verifier.log_mirror import LogMirror

pytestmark = pytest.mark.integration
Entry = dict[str, Any]


@pytest.fixture(scope="module")
def world(shared_place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One honest round is over and its epoch is closed."""
    with World(tmp_path_factory.mktemp("log") / "world", shared_place, nodes=1) as made:
        made.start().play_round()
        yield made


def audit_of(world: World) -> LogAudit:
    return LogAudit(authority_of(world.place.w3, world.place.deployment))


def read(world: World, change: Callable[[Entry], Entry | None] = lambda entry: entry) -> LogAudit:
    """Audit the log with some entries changed or left out."""
    audit = audit_of(world)
    for index, entry in enumerate(filter(None, map(change, world.log()))):
        audit.take(index, json.dumps(entry))
    return audit


def closed(**fields: Any) -> Callable[[Entry], Entry]:
    return lambda entry: {**entry, **fields} if entry["kind"] == "epoch-closed" else entry


def test_an_honest_log_proves_its_epoch(world: World) -> None:
    (epoch,) = world.get("/epochs")
    proven = read(world).epochs[1]
    assert (proven.root, proven.total, proven.count) == (octets(epoch["root"]), 1000, 1)


def test_a_payout_root_that_does_not_follow_is_noticed(world: World) -> None:
    with pytest.raises(AuditFailed, match="payout root does not follow"):
        read(world, closed(root="0x" + "07" * 32))


def test_a_total_or_count_that_does_not_follow_is_noticed(world: World) -> None:
    for fields in ({"total": "1001"}, {"count": 3}):
        with pytest.raises(AuditFailed, match="total or count"):
            read(world, closed(**fields))


def test_a_proof_posted_without_a_quorum_is_noticed(world: World) -> None:
    kept = world.verifiers[0].address
    with pytest.raises(AuditFailed, match="posted on 1 accepting verdicts"):
        read(world, lambda e: None if e["kind"] == "verdict" and e["message"]["verifier"] != kept else e)


def test_a_proof_posted_without_an_honest_pledge_is_noticed(world: World) -> None:
    with pytest.raises(AuditFailed, match="did not open a pledge of honest work"):
        read(world, lambda e: None if e["kind"] == "pledge-opened" else e)


def test_a_pledge_opened_as_another_is_noticed(world: World) -> None:
    node, (entry,) = world.nodes[0], world.log("pledge-opened")
    other = PledgeOpening(octets(entry["message"]["proof"]), world.pledge(node).salt, 0, world.deadline())
    forged = {"message": to_json(other), "signature": hexed(sign(other, world.domain, bytes(node.key)))}
    with pytest.raises(AuditFailed, match="another pledge than was sealed"):
        read(world, lambda e: {**e, **forged} if e["kind"] == "pledge-opened" else e)


def test_a_panel_that_was_not_drawn_is_noticed(world: World) -> None:
    seated = world.log("panel-drawn")[0]["verifiers"]
    for verifiers in (seated[:2], seated[::-1]):
        with pytest.raises(AuditFailed, match="panel does not follow from the beacon"):
            read(world, lambda e, v=verifiers: {**e, "verifiers": v} if e["kind"] == "panel-drawn" else e)


def test_another_beacon_for_the_panel_than_for_the_draws_is_noticed(world: World) -> None:
    (panel,) = world.log("panel-drawn")
    names = [v.address for v in world.verifiers]
    beacon = next(
        b for b in map(keccak, (bytes([i]) for i in range(99)))
        if list(panel_order(b, octets(panel["proof"]), names)) == panel["verifiers"]
    )  # fmt: skip
    with pytest.raises(AuditFailed, match="another block than the proof's beacon"):
        read(world, lambda e: {**e, "beacon": hexed(beacon)} if e["kind"] == "panel-drawn" else e)


def test_a_verdict_from_outside_the_panel_is_noticed(world: World) -> None:
    def without(entry: Entry) -> Entry:
        return {**entry, "block": 10**9} if entry["kind"] == "draw-anchored" else entry

    with pytest.raises(AuditFailed, match="who is not on the panel"):
        read(world, lambda e: {**e, "verifiers": []} if e["kind"] == "panel-drawn" else without(e))


def test_a_verdict_signed_by_another_is_noticed(world: World) -> None:
    other = next(e["signature"] for e in world.log("proof-submitted"))
    with pytest.raises(AuditFailed, match="signed by"):
        read(world, lambda e: {**e, "signature": other} if e["kind"] == "verdict" else e)


def test_a_rewritten_history_is_noticed(world: World, tmp_path: Path) -> None:
    """The verifier comes back after a restart, with a head in its folder that these entries are no continuation of."""
    file, client = tmp_path / "tree-head.json", world.api_client()
    LogMirror(client, audit_of(world), file).sync()
    seen = json.loads(file.read_text())
    assert seen["root"] == world.get("/log/head")["message"]["logRoot"][2:]
    for size in (seen["size"], seen["size"] - 3):
        file.write_text(json.dumps({"size": size, "root": "07" * 32}))
        with pytest.raises(AuditFailed, match="history was rewritten"):
            LogMirror(client, audit_of(world), file).sync()
    file.write_text(json.dumps({**seen, "size": seen["size"] + 1}))
    with pytest.raises(AuditFailed, match="the log shrank"):
        LogMirror(client, audit_of(world), file).sync()


class Liar:
    """A server whose signed head is over other entries than those it hands out."""

    def __init__(self, world: World, client: ApiClient) -> None:
        self._world, self._client = world, client
        self.domain, self.network = client.domain, client.network

    def get(self, path: str, **query: Any) -> Any:
        """The true answer, but for the head."""
        answer = self._client.get(path, **query)
        if path != "/log/head":
            return answer
        message = {**answer["message"], "logRoot": "0x" + "07" * 32}
        signature = sign(from_json(TreeHead, message), self.domain, bytes(self._world.operator.key))
        return {"message": message, "signature": hexed(signature)}


def test_entries_that_are_not_under_the_signed_head_are_noticed(world: World, tmp_path: Path) -> None:
    mirror = LogMirror(Liar(world, world.api_client()), audit_of(world), tmp_path / "head")  # type: ignore[arg-type]
    with pytest.raises(AuditFailed, match="not over these entries"):
        mirror.sync()
