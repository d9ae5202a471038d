"""A proof stands in the log before its beacon is known, however long it waits for its turn to be written."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contracts.draw import BEACON_DELAY
from ledger import proofs
from ledger.chain import ModelChain
from tests.world import World, accepted, check_refused

pytestmark = pytest.mark.integration


def beacon_block(world: World) -> int:
    """Of the newest proof."""
    return int(world.log("proof-submitted")[-1]["beacon_block"])


def test_who_waited_for_its_turn_counts_from_a_newer_head(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer holds the lock until the chain has passed the beacon that was counted first."""
    asked, head = threading.Event(), ModelChain.head

    def heard(chain: ModelChain) -> int:
        found = head(chain)
        asked.set()
        return found

    world.start()
    work = world.train(world.nodes[0])
    blob = world.blob(work.gradient, work.node)
    monkeypatch.setattr(ModelChain, "head", heard)
    monkeypatch.setattr(proofs, "BLOCK_SECONDS", 0.02)
    with ThreadPoolExecutor(1) as pool, world.ledger.store.write():
        answer = pool.submit(world.post_proof, work, gradient_blob=blob)
        assert asked.wait(30)
        world.mine(BEACON_DELAY + 1)
        threading.Event().wait(BEACON_DELAY * 0.02 + 0.01)
        reached = head(world.ledger.chain)
    accepted(answer.result(30))
    assert beacon_block(world) > reached


def test_who_never_gets_its_turn_is_told_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()
    work = world.train(world.nodes[0])
    blob = world.blob(work.gradient, work.node)
    before = world.dump()
    with monkeypatch.context() as slow:
        slow.setattr(proofs, "BLOCK_SECONDS", -1.0)
        check_refused(world.post_proof(work, gradient_blob=blob), 503, "ledger-busy")
    assert world.dump() == before
    accepted(world.post_proof(work, gradient_blob=blob))
    assert beacon_block(world) == world.ledger.chain.head() + BEACON_DELAY


def test_after_some_tries_the_beacon_is_further_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy ledger gets slower; it does not refuse."""
    late: list[Any] = []

    def still_late(beacon: proofs._Beacon) -> None:
        late.append(beacon)
        if len(late) < proofs.STEADY_TRIES + 2:
            raise proofs._BeaconNear

    monkeypatch.setattr(proofs._Beacon, "require_ahead", still_late)
    world.start()
    world.commit(world.nodes[0])
    assert [b.block - world.ledger.chain.head() for b in late] == [
        *[BEACON_DELAY] * proofs.STEADY_TRIES, 2 * BEACON_DELAY, 4 * BEACON_DELAY
    ]  # fmt: skip
    assert beacon_block(world) == late[-1].block
    assert len(world.log("proof-submitted")) == 1


def test_where_finality_is_far_the_beacon_is_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes of such a chain lag behind each other, and the wait is long anyway."""
    world.start()
    world.mine(80)
    head = world.ledger.chain.head()
    monkeypatch.setattr(ModelChain, "final", lambda _chain: head - 80)
    world.commit(world.nodes[0])
    assert beacon_block(world) == head + BEACON_DELAY + 80 // proofs.FINALITY_SHARE
