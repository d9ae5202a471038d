"""Lines and proofs of an epoch: pages, the file of the tree, and what happens when it is not the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from contracts.errors import InvalidTree
from contracts.payout_tree import PayoutTree, check_proof
from ledger import journal, payouts
from ledger.errors import JournalConflict, NotFound
from ledger.tables import Epoch, PayoutRow
from tests.world import World, key_of, octets

pytestmark = pytest.mark.integration


@pytest.fixture
def paid(world: World) -> World:
    """An epoch of three payees."""
    world.nodes = sorted([*world.nodes, key_of("one more node")], key=lambda a: a.address.lower())
    world.start(emission=7).play_round()
    return world


def prove(world: World) -> None:
    """Ask for all proofs and check them against the epoch's root."""
    with world.ledger.store.read() as session:
        epoch, rows = session.get_one(Epoch, 1), payouts.lines(session, 1, 0, 10)
        found = payouts.proofs(world.ledger, session, epoch, [row.leaf for row in rows])
    assert len(found) == 3
    for row, proof in zip(rows, found, strict=True):
        check_proof(octets(row.leaf), proof, octets(epoch.root))


def tree_file(world: World) -> Path:
    (file,) = world.ledger.blobs.beside("payout-trees").iterdir()
    return file


def test_the_tree_is_made_once_and_read_again(paid: World) -> None:
    prove(paid)
    first = tree_file(paid).stat()
    prove(paid)
    assert (tree_file(paid).stat().st_ino, tree_file(paid).stat().st_size) == (first.st_ino, 5 * 32)


@pytest.mark.parametrize("damage", [b"", b"half a tree", bytes(5 * 32)], ids=["empty", "cut", "another-tree"])
def test_a_damaged_tree_file_is_made_anew(paid: World, damage: bytes) -> None:
    prove(paid)
    tree_file(paid).write_bytes(damage)
    prove(paid)


def test_a_flipped_node_never_leaves_as_a_proof(paid: World) -> None:
    prove(paid)
    nodes = bytearray(tree_file(paid).read_bytes())
    nodes[40] ^= 1
    tree_file(paid).write_bytes(nodes)
    prove(paid)


def test_a_leaf_of_another_epoch_has_no_proof(paid: World) -> None:
    with paid.ledger.store.read() as session, pytest.raises(InvalidTree, match="no such payee"):
        payouts.proofs(paid.ledger, session, session.get_one(Epoch, 1), ["0x" + "11" * 32])


def test_lines_come_in_pages_in_order(paid: World) -> None:
    first = paid.get("/epochs/1/payouts", start=0, limit=2)["payouts"]
    rest = paid.get("/epochs/1/payouts", start=2, limit=2)["payouts"]
    assert [line["index"] for line in (*first, *rest)] == [0, 1, 2]
    assert [line["account"].lower() for line in (*first, *rest)] == sorted(
        w["account"].lower() for w in paid.payouts(1)
    )


def test_who_has_no_line_is_told_so(paid: World) -> None:
    with paid.ledger.store.read() as session, pytest.raises(NotFound, match="paid nothing"):
        payouts.lines_of(session, 1, key_of("nobody").address)


def test_a_debt_under_a_known_id_is_refused_whole(paid: World) -> None:
    """The bulk path must not be a way around the journal."""
    with paid.ledger.store.read() as session:
        row = session.get_one(PayoutRow, (1, 0))
    again = {"id": f"owed:{row.leaf}", "book": "units", "debit": "a", "credit": "b", "amount": 1, "pending": False}
    again |= {"made": 0}
    before = paid.get("/balances/units")
    for batch, refusal in (
        ([again | {"id": "fresh"}, again], (IntegrityError, DBAPIError)),
        ([again | {"id": "negative", "amount": -1}], JournalConflict),
    ):
        with pytest.raises(refusal), paid.ledger.store.write() as session:
            journal.record_new(session, batch)
    assert paid.get("/balances/units") == before


@pytest.mark.parametrize("size", [0, 32 * 2, 31, 32 * 4])
def test_bytes_that_are_no_tree_are_refused(size: int) -> None:
    with pytest.raises(InvalidTree, match="no payout tree"):
        PayoutTree(bytes(size))
