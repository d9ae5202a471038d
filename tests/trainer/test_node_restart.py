"""What a node still owes after a restart: the pledge of a canary that was voided while it was away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.pledge import draw_pledge
from tests.world import REJECT, World, octets
from trainer import node as node_module
from trainer.node import Node, NodeSettings

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made.start(samples=made.config.segments)


def test_a_canary_that_was_voided_while_its_node_was_away_owns_up(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.nodes[0]
    pledge = draw_pledge(bytes(key.key), octets(world.run), 1, world.config.segments, 1_000_000)
    world.pledges[key.address] = pledge
    proof = world.commit(key)
    world.dispute(proof)
    for verifier in world.verifiers[:2]:
        world.judge(verifier, proof, REJECT)
    assert world.get(f"/proofs/{proof}")["pledge"] is None
    monkeypatch.setattr(node_module, "ApiClient", lambda _url, _key: world.api_client(key))
    text = next(world.folder.glob("*.txt"))
    settings = NodeSettings("http://world", world.run, key.key.hex(), key.address, tmp_path / "node", (text,),
                            canary_ppm=1_000_000, calm_seconds=0.0)  # fmt: skip
    stop = threading.Event()
    restarted = Node(settings, lambda progress: stop.set() if progress.event == "canary" else None)
    restarted.take_part(stop)
    assert world.get(f"/proofs/{proof}")["pledge"]["message"]["fake"] == pledge.fake
