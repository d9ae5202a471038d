"""Proofs that a part of a log is a part of it: another implementation's sums, and every changed proof refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.subtree import check_span, check_subtree, subtree_proof, subtree_root
from tests.contracts.tlog.vectors import Shelf

pytestmark = pytest.mark.unit

SIZE = 130
SHELF = Shelf([bytes([place]) for place in range(SIZE)])
LEAVES = [SHA256_TREE.leaf_hash(entry) for entry in SHELF.entries]


def spans(size: int) -> list[tuple[int, int]]:
    """All subtrees that are not empty."""
    found = []
    for end in range(1, size + 1):
        for start in range(end):
            if start % (1 << (end - start - 1).bit_length()) == 0:
                found.append((start, end))
    return found


def test_all_proofs_together_have_the_published_sum() -> None:
    """FiloSottile/torchwood, subtree_test.go at 8069247: the sum over all proofs in trees of up to 130 leaves.

    It counts the empty subtrees too, whose proofs are empty; these are not ours.
    """
    total = hashlib.sha256()
    for size in range(SIZE + 1):
        for end in range(size + 1):
            for start in range(end + 1):
                if start < end and start % (1 << (end - start - 1).bit_length()):
                    continue
                proof = subtree_proof(SHELF.tree, start, end, size) if start < end else []
                total.update(f"[{start}, {end}) {size}{''.join(f' {part.hex()}' for part in proof)}\n".encode())
    assert total.hexdigest() == "10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74"


def test_all_roots_together_have_the_published_sum() -> None:
    """The same file, TestAccumulatedSubtreeHash."""
    total = hashlib.sha256()
    for end in range(SIZE + 1):
        for start in range(end + 1):
            if start < end and start % (1 << (end - start - 1).bit_length()):
                continue
            root = subtree_root(LEAVES[start:end]) if start < end else SHA256_TREE.root([])
            total.update(f"[{start}, {end}) {root.hex()}\n".encode())
    assert total.hexdigest() == "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 33, 64, 65])
def test_every_proof_holds_and_no_changed_one_does(size: int) -> None:
    root = SHELF.root(size)
    for start, end in spans(size):
        node = subtree_root(LEAVES[start:end])
        proof = subtree_proof(SHELF.tree, start, end, size)
        check_subtree(start, end, node, size, root, proof)
        wrong = [(b"\x01" * 32, root, proof), (node, b"\x01" * 32, proof), (node, root, [*proof, node])]
        wrong += [(node, root, proof[1:]), (node, root, proof[:-1])] if proof else []
        wrong += [(node, root, [*proof[:at], b"\x01" * 32, *proof[at + 1 :]]) for at in range(len(proof))]
        for other in wrong:
            with pytest.raises(InvalidTree):
                check_subtree(start, end, other[0], size, other[1], other[2])


@given(st.integers(1, SIZE), st.data())
def test_from_0_it_is_a_consistency_proof(size: int, data: st.DataObject) -> None:
    end = data.draw(st.integers(1, size))
    assert subtree_proof(SHELF.tree, 0, end, size) == SHELF.tree.consistency_proof(end, size)


@given(st.integers(1, SIZE), st.data())
def test_of_one_leaf_it_is_an_inclusion_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    assert subtree_proof(SHELF.tree, index, index + 1, size) == SHELF.tree.inclusion_proof(index, size)


@settings(max_examples=50)
@given(st.integers(2, SIZE), st.data())
def test_a_proof_holds_for_its_own_part_only(size: int, data: st.DataObject) -> None:
    of, other = (data.draw(st.sampled_from(spans(size))) for _ in range(2))
    proof = subtree_proof(SHELF.tree, *of, size)
    if of == other:
        return
    with pytest.raises(InvalidTree):
        check_subtree(*other, subtree_root(LEAVES[slice(*of)]), size, SHELF.root(size), proof)


@pytest.mark.parametrize("span", [(2, 6), (5, 13), (1, 7), (7, 9), (0, 0), (5, 5), (5, 3), (-1, 3), (-2, 0), (12, 17)])
def test_parts_that_are_no_subtrees_are_refused(span: tuple[int, int]) -> None:
    with pytest.raises(InvalidTree):
        check_span(*span, 16)


def test_a_node_of_another_length_is_refused() -> None:
    proof = subtree_proof(SHELF.tree, 0, 3, 7)
    moved = [proof[0] + proof[1][:1], proof[1][1:], *proof[2:]]
    with pytest.raises(InvalidTree, match="32 bytes"):
        check_subtree(0, 3, subtree_root(LEAVES[:3]), 7, SHELF.root(7), moved)


def test_a_tree_that_lacks_a_node_proves_nothing() -> None:
    with pytest.raises(InvalidTree, match="lacks node"):
        subtree_proof(SHELF.tree, 0, 3, SIZE + 1)
