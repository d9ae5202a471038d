"""Checked against RFC 6962's rule, pymerkle (an implementation nobody here wrote) and hostile proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE as TREE
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def entries(size: int) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(size)]


@pytest.mark.parametrize("size", range(20))
def test_root_equals_pymerkle(size: int) -> None:
    theirs = InmemoryTree(algorithm="sha256")
    for entry in entries(size):
        theirs.append_entry(entry)
    expected = theirs.get_state() if size else hashlib.sha256(b"").digest()
    assert TREE.root(entries(size)) == expected


@holds(
    "An opened state is the committed state of its boundary",
    by="contracts/merkle/positional_tree.py:PositionalTree.check_inclusion",
    against=Threat.FALSE_WORK,
)
@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_every_inclusion_proof_holds_only_in_its_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = TREE.inclusion_proof(entries(size), index), TREE.root(entries(size))
    TREE.check_inclusion(entries(size)[index], index, size, proof, root)
    with pytest.raises(InvalidTree):
        TREE.check_inclusion(b"another entry", index, size, proof, root)
    if size > 1:
        with pytest.raises(InvalidTree):
            TREE.check_inclusion(entries(size)[index], (index + 1) % size, size, proof, root)


@holds(
    "A rewritten log is detected by its consistency proof",
    by="contracts/merkle/positional_tree.py:PositionalTree.check_consistency",
    against=Threat.REWRITTEN_LOG,
)
@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_consistency_proofs_hold_and_a_rewritten_past_fails(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    old, new = TREE.root(entries(first)), TREE.root(entries(second))
    proof = TREE.consistency_proof(entries(second), first)
    TREE.check_consistency(first, second, old, new, proof)
    rewritten = TREE.root([b"rewritten", *entries(first)[1:]])
    with pytest.raises(InvalidTree):
        TREE.check_consistency(first, second, rewritten, new, proof)


def test_empty_tree_is_a_prefix_only_with_its_own_root() -> None:
    new = TREE.root(entries(3))
    TREE.check_consistency(0, 3, hashlib.sha256(b"").digest(), new, [])
    with pytest.raises(InvalidTree, match="empty tree"):
        TREE.check_consistency(0, 3, b"\0" * 32, new, [])


def test_empty_proof_between_two_sizes_is_refused() -> None:
    with pytest.raises(InvalidTree, match="empty"):
        TREE.check_consistency(2, 3, TREE.root(entries(2)), TREE.root(entries(3)), [])


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_lengthened_proof_is_refused(size: int) -> None:
    proof = [*TREE.inclusion_proof(entries(size), 0), b"\0" * 32]
    with pytest.raises(InvalidTree):
        TREE.check_inclusion(entries(size)[0], 0, size, proof, TREE.root(entries(size)))


@pytest.mark.parametrize("index", [-1, 3])
def test_index_outside_the_tree_is_refused(index: int) -> None:
    with pytest.raises(InvalidTree):
        TREE.inclusion_proof(entries(3), index)
    with pytest.raises(InvalidTree):
        TREE.check_inclusion(b"entry 0", index, 3, [], TREE.root(entries(3)))
