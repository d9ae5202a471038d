"""Whose word counts on a round is settled when it opens: governance's changes count from the next one on."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from ledger import indexer, keeper
from ledger.tables import Round
from tests.ledger.test_governance import holders_of
from tests.world import World, accepted, check_refused, key_of

pytestmark = pytest.mark.integration


@pytest.fixture
def owned(alone: World) -> World:
    """Its second round is open, and its creator holds votes."""
    return holders_of(alone)


def opened(world: World) -> tuple[list[str], int]:
    """Verifiers and k of the newest round."""
    with world.ledger.store.read() as session:
        row = session.get_one(Round, (world.run, world.run_view()["round"]))
    return row.verifiers, row.threshold


def addresses(*keys: LocalAccount) -> list[str]:
    return sorted(key.address for key in keys)


def commit(world: World) -> list[str]:
    """All nodes commit, and the panels are drawn."""
    proofs = [world.commit(node) for node in world.nodes]
    world.mine()
    world.step()
    return proofs


def panel(world: World, proof: str) -> Any:
    return sorted(world.get(f"/proofs/{proof}/status")["panel"])


def test_who_was_removed_counts_to_the_end_of_the_round_and_not_in_the_next(owned: World) -> None:
    first, second, gone = owned.verifiers
    owned.enact(owned.creator, owned.ledger.chain.registry.remove(gone.address))
    assert owned.get("/network")["verifiers"] == [first.address, second.address]
    for proof in commit(owned):
        assert panel(owned, proof) == addresses(first, second, gone)
        assert owned.decide(proof)["state"] == "posted"
    owned.step()
    for verifier in (gone, first):
        accepted(owned.post_merge(verifier))
    owned.step()
    assert opened(owned) == (addresses(first, second), 2)
    owned.verifiers = [first, second]
    for proof in commit(owned):
        assert panel(owned, proof) == addresses(first, second)
        check_refused(owned.post("/challenges", owned.challenge_message(gone, proof), gone), 403, "not-verifier")
        assert owned.decide(proof)["state"] == "posted"
    owned.step()
    before = owned.dump()["merge"]
    check_refused(owned.post_merge(gone), 403, "not-verifier")
    assert owned.dump()["merge"] == before
    owned.close_round()
    assert owned.run_view()["round"] == 4


def test_who_is_admitted_and_a_higher_k_count_from_the_next_round(owned: World) -> None:
    """The joiner is bound before the beacons of the round that goes on, and still no part of it."""
    joined, registry = key_of("verifier 3"), owned.ledger.chain.registry
    before = list(owned.verifiers)
    owned.enact(owned.creator, registry.admit(joined.address), registry.set_threshold(3))
    owned.anchor(joined)
    owned.mine()
    for proof in commit(owned):
        assert panel(owned, proof) == addresses(*before)
        assert owned.decide(proof)["state"] == "posted"
    owned.step()
    check_refused(owned.post_merge(joined), 403, "not-verifier")
    owned.close_round()  # two are enough here still
    owned.verifiers = [*before, joined]
    assert opened(owned) == (addresses(*owned.verifiers), 3)
    for proof in commit(owned):
        assert panel(owned, proof) == addresses(*owned.verifiers)
        assert owned.decide(proof)["state"] == "posted"
    owned.step()
    for verifier, number in ((joined, 3), (before[0], 3), (before[1], 4)):
        accepted(owned.post_merge(verifier))
        owned.step()
        assert owned.run_view()["round"] == number


def test_a_round_opens_on_no_block_older_than_a_beacon_that_was_drawn_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the indexer stands still, so do the verifiers that it knows of."""
    world.start()
    with monkeypatch.context() as stopped:
        stopped.setattr(keeper, "STEPS", [step for step in keeper.STEPS if step[1] is not indexer.follow])
        world.play_round()
        world.step(2)
        assert world.run_view()["round"] == 1
    world.step(2)
    assert world.run_view()["round"] == 2


def test_no_round_opens_while_the_ledger_still_reads_an_old_chain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create_run()
    for node in world.nodes:
        world.enrol(node)
    for verifier in world.verifiers:
        world.anchor(verifier)
    monkeypatch.setattr("ledger.rounds.BATCH", 3)
    monkeypatch.setattr("ledger.indexer.BATCH", 3)
    world.mine(8)
    world.step()
    assert world.run_view()["round"] == 0
    world.step(3)
    assert world.run_view()["round"] == 1
