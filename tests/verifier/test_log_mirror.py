"""A verifier that watches the log knows what was not in it yet, and refuses a proof that came after its beacon."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.draw import BEACON_DELAY
from ledger.chain import ModelChain
from tests.world import Place, World
from trainer.client import ApiClient
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of
from verifier.errors import AuditFailed
from verifier.log_mirror import LogMirror

pytestmark = pytest.mark.integration
SAID = "beacon was known before the proof stood in the log"


@pytest.fixture(scope="module")
def shared_place() -> Place:
    """No test here settles an epoch."""
    return Place()


@pytest.fixture
def world(shared_place: Place, tmp_path: Path) -> Iterator[World]:
    """Its first round is open, and some blocks old."""
    with World(tmp_path / "world", shared_place) as made:
        made.start().mine(BEACON_DELAY + 2)
        yield made


def mirror_of(world: World, client: ApiClient, name: str = "verifier", watching: bool = True) -> LogMirror:
    """A mirror with an audit of its own, and what an earlier one of that name remembered."""
    audit = LogAudit(authority_of(world.place.w3, world.place.deployment))
    file = world.folder / name / "tree-head.json"
    file.parent.mkdir(exist_ok=True)
    height = (lambda: int(world.place.w3.eth.block_number),) if watching else ()
    return LogMirror(client, audit, file, *height)


def watcher(world: World, name: str = "verifier") -> LogMirror:
    return mirror_of(world, world.api_client(), name)


def commit_under(world: World, ahead: int, patch: pytest.MonkeyPatch) -> None:
    """An operator in league with its node records a proof whose beacon is so many blocks ahead; 0: the newest block."""
    with patch.context() as lie:
        lie.setattr(ModelChain, "head", lambda chain: chain.final() + ahead - BEACON_DELAY)
        world.commit(world.nodes[0])
    beacon = world.log("proof-submitted")[-1]["beacon_block"]
    assert beacon == world.place.w3.eth.block_number + ahead


@pytest.mark.parametrize("ahead", [0, -1])
def test_a_proof_that_came_when_its_beacon_was_known_is_refused_by_who_watched(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    mirror = watcher(world)
    mirror.watch()
    commit_under(world, ahead, monkeypatch)
    for _ in range(2):  # and it stays refused
        with pytest.raises(AuditFailed, match=SAID):
            mirror.sync()


def test_a_proof_that_came_one_block_before_its_beacon_stands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = watcher(world)
    mirror.watch()
    commit_under(world, 1, monkeypatch)
    mirror.sync()
    assert mirror.size == len(world.log())


def test_who_did_not_watch_cannot_know(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One never watches, the other saw the log too early: the chain had not come to the beacon yet."""
    early, stranger = watcher(world, "early"), mirror_of(world, world.api_client(), "stranger", watching=False)
    early.watch()
    stranger.sync()
    world.mine()
    commit_under(world, 0, monkeypatch)
    for reader in (early, stranger, watcher(world, "late")):
        reader.sync()
        assert reader.size == len(world.log())


def test_a_restart_keeps_what_was_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood the test when it was new is not tried again."""
    watcher(world).watch()
    world.commit(world.nodes[1])
    world.mine(BEACON_DELAY + 1)
    watcher(world).watch()
    commit_under(world, 0, monkeypatch)
    with pytest.raises(AuditFailed, match=SAID) as caught:
        watcher(world).sync()
    assert caught.value.index == len(world.log()) - 1


def test_honest_rounds_stand_however_often_one_looks(world: World) -> None:
    mirror = watcher(world)
    for _ in range(2):
        for node in world.nodes:
            mirror.watch()
            proof = world.commit(node)
            for _ in range(BEACON_DELAY):
                world.mine(1)
                mirror.watch()
            world.step()
            assert world.decide(proof)["state"] == "posted"
        world.step()
        world.close_round()
    mirror.sync()
    assert len(world.log("proof-submitted")) == 2 * len(world.nodes)
    assert mirror.size == len(world.log())


class Server:
    """The world's own; counts the requests by path, and calls `meanwhile` once a head was answered."""

    def __init__(self, client: ApiClient) -> None:
        self._client, self.asked = client, list[str]()
        self.domain, self.network = client.domain, client.network
        self.meanwhile: Callable[[], None] = lambda: None

    def get(self, path: str, **query: Any) -> Any:
        """The true answer."""
        self.asked.append(path)
        answer = self._client.get(path, **query)
        if path == "/log/head":
            self.meanwhile()
        return answer


def test_an_entry_that_slips_in_behind_the_head_is_left_for_the_next_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken at once it would be held against the look before, when its beacon was still to come."""
    server = Server(world.api_client())
    mirror = mirror_of(world, server)  # type: ignore[arg-type]
    mirror.watch()
    world.mine()
    world.commit(world.nodes[1])  # so that there is something to download
    server.meanwhile = lambda: commit_under(world, 0, monkeypatch)
    mirror.watch()
    assert mirror.size == len(world.log()) - 1
    server.meanwhile = lambda: None
    with pytest.raises(AuditFailed, match=SAID):
        mirror.sync()


def test_watching_costs_one_request_a_block(world: World) -> None:
    server = Server(world.api_client())
    mirror = mirror_of(world, server)  # type: ignore[arg-type]
    mirror.watch()
    server.asked.clear()
    mirror.watch()
    assert server.asked == []
    world.mine(1)
    mirror.watch()
    assert server.asked == ["/log/head"]
    kept = json.loads((world.folder / "verifier" / "tree-head.json").read_text())
    assert (kept["size"], kept["height"]) == (mirror.size, world.place.w3.eth.block_number)
