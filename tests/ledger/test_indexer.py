"""What the ledger reads from the chain: each final block once, in order, by however many readers."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from sqlmodel import col, select

from contracts.chain import send
from contracts.deploy import deploy_model
from ledger import indexer
from ledger.crash_points import armed
from ledger.errors import FinalityViolated
from ledger.store import Store
from ledger.tables import ChainEvent, Cursor
from tests.world import World, accepted

pytestmark = pytest.mark.integration


def events(world: World, name: str | None = None) -> list[ChainEvent]:
    with world.ledger.store.read() as session:
        found = session.exec(select(ChainEvent).order_by(col(ChainEvent.block), col(ChainEvent.log_index)))
        return [e for e in found if name in (None, e.name)]


def cursor(world: World) -> Cursor:
    with world.ledger.store.read() as session:
        return session.get_one(Cursor, "final")


def propose_epoch(world: World) -> None:
    world.start().play_round()
    for verifier in world.verifiers[:2]:
        accepted(world.post_epoch(verifier))
    world.step(2)


def test_the_cursor_follows_the_head_and_events_are_kept_as_json(alone: World) -> None:
    propose_epoch(alone)
    indexer.follow(alone.ledger)
    head = alone.ledger.chain.head()
    assert (cursor(alone).block, cursor(alone).hash) == (head, "0x" + alone.ledger.chain.block_hash(head).hex())
    (event,) = events(alone, "EpochProposed")
    assert event.contract == "VerifierRegistry"
    assert (event.arguments["epoch"], event.arguments["root"]) == ("1", alone.get("/epochs")[0]["root"])


def test_each_block_is_read_once(alone: World) -> None:
    propose_epoch(alone)
    alone.mine(3)
    for _ in range(3):
        indexer.follow(alone.ledger)
    before = [(e.block, e.log_index) for e in events(alone)]
    assert len(before) == len(set(before)) > 0
    alone.mine(2)
    indexer.follow(alone.ledger)
    assert [(e.block, e.log_index) for e in events(alone)] == before


def test_many_blocks_are_read_in_batches(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "BATCH", 4)
    propose_epoch(alone)
    alone.mine(9)
    seen = []
    for _ in range(20):
        indexer.follow(alone.ledger)
        seen.append(cursor(alone).block)
    steps = {second - first for first, second in itertools.pairwise(seen)}
    assert max(steps) <= 4
    assert seen[-1] == alone.ledger.chain.head()
    assert len(events(alone, "EpochProposed")) == 1


def test_two_indexers_at_once_read_as_one(alone: World) -> None:
    """Both find the same blocks; the slower one's are not written a second time."""
    alone.start().play_round()
    alone.settle_epoch()
    for wallet in alone.wallets:
        alone.claim(wallet.address)
    alone.mine(2)
    failed: list[Exception] = []
    with alone.ledger.store.write() as session:
        session.delete(session.get_one(Cursor, "final"))
    fresh = World(alone.folder / "second", alone.place)

    def read() -> None:
        try:
            for _ in range(4):
                indexer.follow(fresh.ledger)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [(e.block, e.name) for e in events(fresh)] == [(e.block, e.name) for e in events(alone)]
    assert len(events(fresh, "Minted")) == 2


def test_the_cursor_moves_only_from_where_it_was_read(alone: World) -> None:
    """Another indexer is faster between the reading of the events and their writing."""
    fresh = World(alone.folder / "second", alone.place)
    twin = replace(fresh.ledger, store=Store(fresh.database), holder="twin")
    propose_epoch(alone)
    with armed("indexer.read", lambda: indexer.follow(twin)):
        indexer.follow(fresh.ledger)
    assert len(events(fresh, "EpochProposed")) == 1
    alone.mine(2)
    indexer.follow(fresh.ledger)
    assert cursor(fresh).block == alone.ledger.chain.head()


def test_a_replaced_final_block_stops_the_indexer(alone: World) -> None:
    """The ledger credited on that block's word: a person must look."""
    propose_epoch(alone)
    with alone.ledger.store.write() as session:
        row = session.get_one(Cursor, "final")
        row.hash = "0x" + "07" * 32
        session.add(row)
    before = alone.dump()
    with pytest.raises(FinalityViolated):
        indexer.follow(alone.ledger)
    assert alone.dump() == before


def test_other_models_on_the_same_registry_are_not_ours(alone: World) -> None:
    """Decisions and epochs of a second model that shares the ModelRegistry leave no trace."""
    place = alone.place
    deploy_model(
        place.w3, alone.creator, "other", "O", [v.address for v in alone.verifiers], place.params,
        place.deployment.model_registry,
    )  # fmt: skip
    send(place.w3, alone.verifiers[0], alone.ledger.chain.registry.stake(), value=1)
    indexer.follow(alone.ledger)
    assert events(alone, "Decision") == []
    assert events(alone, "Minted") == []
