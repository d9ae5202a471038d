"""Lines and proofs of an epoch: pages, the file of the tree, and what happens when it is not the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col, select

from contracts.errors import InvalidTree
from contracts.merkle.payout_tree import PayoutTree, check_proof
from ledger.books import journal, payouts
from ledger.errors import JournalConflict, NotFound
from ledger.storage.tables import Epoch, Transfer
from tests.deployed import key_of
from tests.holds import Threat, holds
from tests.house import House

pytestmark = pytest.mark.integration


@pytest.fixture
def paid(house: House) -> House:
    """A final epoch of three payees."""
    house.start(nodes=3, emission=7).play_round()
    house.settle_epoch()
    return house


def prove(house: House) -> None:
    """Ask for all proofs and check them against the epoch's root."""
    with house.ledger.store.read() as session:
        epoch, rows = session.get_one(Epoch, 1), payouts.lines(session, 1, 0, 10)
        found = payouts.proofs(house.ledger.blobs, session, epoch, [row.leaf for row in rows])
    assert len(found) == 3
    for row, proof in zip(rows, found, strict=True):
        check_proof(bytes.fromhex(row.leaf[2:]), proof, bytes.fromhex(epoch.root[2:]))


def tree_file(house: House) -> Path:
    (file,) = house.ledger.blobs.beside("payout-trees").iterdir()
    return file


def test_the_tree_is_made_once_and_read_again(paid: House) -> None:
    prove(paid)
    first = tree_file(paid).stat()
    prove(paid)
    assert (tree_file(paid).stat().st_ino, tree_file(paid).stat().st_size) == (first.st_ino, 5 * 32)


@pytest.mark.parametrize("damage", [b"", b"half a tree", bytes(5 * 32)], ids=["empty", "cut", "another-tree"])
def test_a_damaged_tree_file_is_made_anew(paid: House, damage: bytes) -> None:
    prove(paid)
    tree_file(paid).write_bytes(damage)
    prove(paid)


@holds(
    "The server sends only proofs that lead to the epoch's root",
    by="ledger/books/payouts.py:proofs",
    against=Threat.WRONG_PAY,
)
def test_a_flipped_node_never_leaves_as_a_proof(paid: House) -> None:
    prove(paid)
    nodes = bytearray(tree_file(paid).read_bytes())
    nodes[40] ^= 1
    tree_file(paid).write_bytes(nodes)
    prove(paid)


def test_a_leaf_of_another_epoch_has_no_proof(paid: House) -> None:
    with paid.ledger.store.read() as session, pytest.raises(InvalidTree, match="no such payee"):
        payouts.proofs(paid.ledger.blobs, session, session.get_one(Epoch, 1), ["0x" + "11" * 32])


def test_lines_come_in_pages_in_order(paid: House) -> None:
    first = paid.get("/epochs/1/payouts", start=0, limit=2)["payouts"]
    rest = paid.get("/epochs/1/payouts", start=2, limit=2)["payouts"]
    assert [line["index"] for line in (*first, *rest)] == [0, 1, 2]
    assert [line["account"].lower() for line in (*first, *rest)] == sorted(
        w["account"].lower() for w in paid.payouts(1)
    )


def test_who_has_no_line_is_told_so(paid: House) -> None:
    with paid.ledger.store.read() as session, pytest.raises(NotFound, match="paid nothing"):
        payouts.lines_of(session, 1, key_of("nobody").address)


def test_a_debt_under_a_known_id_is_refused_whole(paid: House) -> None:
    """The bulk path must not be a way around the journal."""
    with paid.ledger.store.read() as session:
        known = session.exec(select(Transfer.id).where(col(Transfer.id).startswith("owed:"))).first()
    again = {"id": known, "book": "units", "debit": "a", "credit": "b", "amount": 1, "pending": False}
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
