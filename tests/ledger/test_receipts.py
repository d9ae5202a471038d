"""What a receipt shows: the account's own work and pay of that epoch, up to what the epoch's log anchors."""

from __future__ import annotations

import json

import pytest

from contracts.receipt import Receipt
from ledger.errors import NotFound
from ledger.receipts import receipt_of
from tests.world import World

pytestmark = pytest.mark.integration


def receipt(world: World, number: int, account: str) -> Receipt:
    with world.ledger.store.read() as session:
        return receipt_of(world.ledger, session, number, account)


def shown(made: Receipt) -> list[tuple[str, str]]:
    """Kind of each entry, and the node of a proof."""
    entries = [json.loads(entry.body) for entry in made.entries]
    return [(e["kind"], e.get("message", {}).get("node", "")) for e in entries]


def test_each_epoch_shows_its_own_rounds_and_the_account_its_own_proofs(world: World) -> None:
    """Two rounds, an epoch each: four proofs, of which each receipt shows one."""
    world.start()
    proofs = [world.play_round(), world.play_round()]
    for number in (1, 2):
        for node, wallet in zip(world.nodes, world.wallets, strict=True):
            made = receipt(world, number, wallet.address)
            assert shown(made) == [("proof-submitted", node.address), ("proof-posted", ""), ("epoch-closed", "")]
            assert json.loads(made.entries[0].body)["proof"] == proofs[number - 1][node.address]
            assert [line.amount for line in made.payouts] == ["500"]
            assert made.entries[-1].index == made.epoch["logSize"] - 1
            assert Receipt.from_json(made.model_dump_json()) == made


def test_an_epoch_of_two_rounds_shows_both(world: World) -> None:
    world.start(roundsPerEpoch=2)
    for _ in range(2):
        world.play_round()
    kinds = [kind for kind, _ in shown(receipt(world, 1, world.wallets[0].address))]
    assert kinds == ["proof-submitted", "proof-posted"] * 2 + ["epoch-closed"]


def test_signatures_come_with_it_once_they_are_given(world: World) -> None:
    world.start().play_round()
    wallet = world.wallets[0].address
    assert receipt(world, 1, wallet).signatures == {}
    world.post_epoch(world.verifiers[1])
    assert list(receipt(world, 1, wallet).signatures) == [world.verifiers[1].address]


def test_there_is_none_of_an_open_epoch_nor_for_a_stranger(world: World) -> None:
    world.start()
    with pytest.raises(NotFound, match="epoch 1 is not closed"):
        receipt(world, 1, world.wallets[0].address)
    world.play_round()
    with pytest.raises(NotFound, match="neither work nor pay"):
        receipt(world, 1, world.stranger.address)
