"""A tree that keeps only complete subtrees: against the tree over all leaves, pymerkle, and published vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE as RULE
from contracts.merkle.stored_tree import GrowingTree, StoredTree, complete_nodes, node_count, node_number
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
SIZE = 66
ENTRIES = [f"entry {i}".encode() for i in range(SIZE)]
LEAVES = [RULE.leaf_hash(entry) for entry in ENTRIES]


class Shelf:
    """Nodes by number, and how many were read."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.read = 0
        self.calls = 0
        self.tree = StoredTree(self._fetch)
        self.nodes = self.tree.grown(0, leaves)

    def _fetch(self, numbers: Sequence[int]) -> dict[int, bytes]:
        self.read += len(numbers)
        self.calls += 1
        return {number: self.nodes[number] for number in numbers if number < len(self.nodes)}


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(LEAVES)


@pytest.fixture(scope="module")
def theirs() -> InmemoryTree:
    made = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        made.append_entry(entry)
    return made


def test_nodes_are_numbered_as_they_come_to_be() -> None:
    """Leaves 0 and 1, the node over both, leaves 2 and 3, the node over those, and the one over all four."""
    places = [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1), (2, 0), (0, 4)]
    assert [node_number(*place) for place in places] == list(range(8))
    assert [node_count(size) for size in range(6)] == [0, 1, 3, 4, 7, 8]


def test_every_root_of_every_past_tree_is_theirs(shelf: Shelf, theirs: InmemoryTree) -> None:
    assert shelf.tree.root(0) == RULE.root([])
    for size in range(1, SIZE + 1):
        assert shelf.tree.root(size) == theirs.get_state(size) == RULE.root(ENTRIES[:size])


@holds(
    "An independent implementation computes the same roots and paths",
    by="contracts/merkle/tree_spans.py:inclusion_spans",
    against=Threat.REWRITTEN_LOG,
)
def test_every_inclusion_path_is_theirs_and_holds(shelf: Shelf, theirs: InmemoryTree) -> None:
    for size in range(1, SIZE + 1):
        root = theirs.get_state(size)
        for index in range(size):
            path = shelf.tree.inclusion_proof(index, size)
            assert path == theirs.prove_inclusion(index + 1, size).path[1:]
            RULE.check_inclusion(ENTRIES[index], index, size, path, root)


def test_every_consistency_proof_has_their_nodes_and_holds(shelf: Shelf, theirs: InmemoryTree) -> None:
    """pymerkle orders them otherwise, and where the old tree ends in a pair it shows more than RFC 6962 asks for."""
    for second in range(1, SIZE + 1):
        for first in range(1, second + 1):
            path = shelf.tree.consistency_proof(first, second)
            if first & 1 and 1 < first < second:
                assert sorted(path) == sorted(theirs.prove_consistency(first, second).path)
            RULE.check_consistency(first, second, theirs.get_state(first), theirs.get_state(second), path)


def test_the_examples_of_rfc_6962(shelf: Shelf) -> None:
    """Section 2.1.3, a tree of seven: a to f and j are leaves 0 to 6, g h i the nodes over pairs, k over four."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = RULE.node_hash(a, b), RULE.node_hash(c, d), RULE.node_hash(e, f)
    k, l_ = RULE.node_hash(g, h), RULE.node_hash(i, j)
    paths = {0: [b, h, l_], 3: [c, g, l_], 4: [f, j, k], 6: [i, k]}
    assert {index: shelf.tree.inclusion_proof(index, 7) for index in paths} == paths
    proofs = {3: [c, d, g, l_], 4: [l_], 6: [i, j, k]}
    assert {first: shelf.tree.consistency_proof(first, 7) for first in proofs} == proofs


# Leaves and hashes that implementations of Certificate Transparency share as test vectors
VECTOR_LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
VECTOR_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
VECTOR_NODES = {
    (0, 1): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    (1, 1): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    (2, 1): "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (1, 2): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    (0, 6): "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
}


def test_published_vectors() -> None:
    shelf = Shelf([RULE.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTOR_LEAVES])
    assert tuple(shelf.tree.root(size).hex() for size in range(9)) == VECTOR_ROOTS
    for place, expected in VECTOR_NODES.items():
        assert shelf.nodes[node_number(*place)].hex() == expected
    node = VECTOR_NODES
    assert [n.hex() for n in shelf.tree.inclusion_proof(0, 8)] == [node[0, 1], node[1, 1], node[2, 1]]
    assert shelf.tree.consistency_proof(6, 8)[0].hex() == node[1, 2]
    assert shelf.tree.consistency_proof(6, 7)[1].hex() == node[0, 6]
    assert shelf.tree.inclusion_proof(5, 7)[1].hex() == node[0, 6]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_leaves_may_come_one_by_one_or_many_at_once(batches: list[int]) -> None:
    leaves = [RULE.leaf_hash(str(i).encode()) for i in range(sum(batches))]
    whole, parts = Shelf(leaves), Shelf([])
    at = 0
    for count in batches:
        parts.nodes += parts.tree.grown(at, leaves[at : at + count])
        at += count
    assert parts.nodes == whole.nodes
    assert len(whole.nodes) == node_count(len(leaves))


@given(st.integers(1, 2**40), st.data())
@settings(max_examples=80, deadline=None)
def test_a_proof_of_any_size_reads_two_nodes_a_level_in_one_call(size: int, data: st.DataObject) -> None:
    """On trees far too large to build: what is read is counted, whatever it hashes to."""
    asked: list[int] = []

    def fetch(numbers: Sequence[int]) -> dict[int, bytes]:
        asked.append(len(numbers))
        assert all(0 <= number < node_count(size) for number in numbers)
        return dict.fromkeys(numbers, bytes(32))

    tree, one = StoredTree(fetch), data.draw(st.integers(0, size - 1))
    for call in (lambda: tree.root(size), lambda: tree.inclusion_proof(one, size)):
        call()
    tree.consistency_proof(one + 1, size)
    tree.grown(size, [bytes(32)])
    assert len(asked) <= 4
    assert max(asked, default=0) <= 2 * size.bit_length()


def test_a_root_reads_each_part_once(shelf: Shelf) -> None:
    """13 = 8 + 4 + 1."""
    before = shelf.read, shelf.calls
    shelf.tree.root(13)
    assert (shelf.read - before[0], shelf.calls - before[1]) == (3, 1)
    assert complete_nodes((0, 13)) == [node_number(3, 0), node_number(2, 2), node_number(0, 12)]


def test_what_the_tree_never_was_cannot_be_proven(shelf: Shelf) -> None:
    for call in (
        lambda: shelf.tree.inclusion_proof(0, 0),
        lambda: shelf.tree.inclusion_proof(5, 5),
        lambda: shelf.tree.inclusion_proof(-1, 5),
        lambda: shelf.tree.consistency_proof(0, 5),
        lambda: shelf.tree.consistency_proof(6, 5),
        lambda: shelf.tree.root(SIZE + 1),
    ):
        with pytest.raises(InvalidTree):
            call()


def test_a_lost_node_is_named_and_not_made_up(shelf: Shelf) -> None:
    lost = Shelf(LEAVES[:13])
    del lost.nodes[node_number(0, 12) :]
    assert lost.tree.root(12) == shelf.tree.root(12)
    with pytest.raises(InvalidTree, match=f"lacks node {node_number(0, 12)}"):
        lost.tree.root(13)


def test_a_tree_in_memory_knows_every_root_it_had() -> None:
    tree = GrowingTree()
    for start in range(0, SIZE, 5):
        tree.append(LEAVES[start : start + 5])
    assert [tree.root(size) for size in range(SIZE + 1)] == [RULE.root(ENTRIES[:size]) for size in range(SIZE + 1)]
    with pytest.raises(InvalidTree, match="not 67"):
        tree.root(SIZE + 1)


# ---- hostile proofs: what a naive verifier accepts


def corrupted(path: list[bytes]) -> list[list[bytes]]:
    """Every single bit flipped; a node too few, too many, twice, or in another's place."""
    flipped = [
        [*path[:i], bytes([*node[: bit // 8], node[bit // 8] ^ 1 << bit % 8, *node[bit // 8 + 1 :]]), *path[i + 1 :]]
        for i, node in enumerate(path)
        for bit in range(256)
    ]
    missing = [[*path[:i], *path[i + 1 :]] for i in range(len(path))]
    doubled = [[*path[:i], path[i], *path[i:]] for i in range(len(path))]
    swapped = [[*path[:i], path[i + 1], path[i], *path[i + 2 :]] for i, (a, b) in enumerate(pairwise(path)) if a != b]
    extended = [[*path, bytes(32)], [bytes(32), *path], [*path, RULE.hash(b"")]]
    cut = [[*path[:-1], path[-1][:31]], [*path[:-1], path[-1] + b"\0"]] if path else []
    return flipped + missing + doubled + swapped + extended + cut


@given(st.integers(1, 300), st.data())
@settings(max_examples=25, deadline=None)
def test_no_corrupted_inclusion_proof_holds(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    entries = [str(i).encode() for i in range(size)]
    path, root = RULE.inclusion_proof(entries, index), RULE.root(entries)
    RULE.check_inclusion(entries[index], index, size, path, root)
    for other in corrupted(path):
        with pytest.raises(InvalidTree):
            RULE.check_inclusion(entries[index], index, size, other, root)
    for place in {index - 1, index + 1, index ^ 1, 0, size - 1, size, 2 * size} - {index}:
        with pytest.raises(InvalidTree):
            RULE.check_inclusion(entries[index], place, size, path, root)


@pytest.mark.parametrize("size", range(1, 34))
def test_an_inclusion_proof_binds_the_size_where_the_path_does(size: int) -> None:
    """Some sizes give a leaf the same path and root (RFC 9162 leaves the size to the signed head); the others fail."""
    entries = ENTRIES[:size]
    path, root = RULE.inclusion_proof(entries, size - 1), RULE.root(entries)
    for other in {0, size - 1, size + 1, 2 * size}:
        with pytest.raises(InvalidTree):
            RULE.check_inclusion(entries[size - 1], size - 1, other, path, root)


@holds(
    "A proof with a changed, missing or extra node is refused",
    by="contracts/merkle/positional_tree.py:PositionalTree.check_consistency",
    against=Threat.REWRITTEN_LOG,
)
def test_no_corrupted_consistency_proof_holds() -> None:
    """All pairs up to 14 with every bit, and the pairs that a power of two ends or begins beyond that."""
    pairs = [(first, second) for second in range(1, 15) for first in range(second + 1)]
    pairs += [(31, 32), (32, 33), (32, 64), (33, 64), (63, 66)]
    for first, second in pairs:
        path = RULE.consistency_proof(ENTRIES[:second], first) if first else []
        old, new = RULE.root(ENTRIES[:first]), RULE.root(ENTRIES[:second])
        RULE.check_consistency(first, second, old, new, path)
        for other in corrupted(path):
            with pytest.raises(InvalidTree):
                RULE.check_consistency(first, second, old, new, other)
        for a, b in ((old, bytes(32)), (bytes(32), new), (new, old), (new, new), (old, old)):
            if (a, b) != (old, new) and not (first == 0 and a == old):
                with pytest.raises(InvalidTree):
                    RULE.check_consistency(first, second, a, b, path)


def test_a_consistency_proof_holds_for_no_other_sizes() -> None:
    for second in range(2, 34):
        for first in range(1, second):
            path = RULE.consistency_proof(ENTRIES[:second], first)
            roots = RULE.root(ENTRIES[:first]), RULE.root(ENTRIES[:second])
            for other in ((first - 1, second), (second, first), (second, second), (first, first)):
                with pytest.raises(InvalidTree):
                    RULE.check_consistency(*other, *roots, path)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (1, 1), (0, 5), (5, 5)])
def test_where_the_proof_is_empty_the_roots_decide(first: int, second: int) -> None:
    """No hash is computed here: a verifier that only follows the path accepts whatever it is told."""
    roots = {size: RULE.root(ENTRIES[:size]) for size in (first, second)}
    RULE.check_consistency(first, second, roots[first], roots[second], [])
    with pytest.raises(InvalidTree):
        RULE.check_consistency(first, second, b"\1" * 32, roots[second] if first == 0 else roots[first], [])
    with pytest.raises(InvalidTree):
        RULE.check_consistency(first, second, roots[first], roots[second], [bytes(32)])


@pytest.mark.parametrize(("first", "second"), [(1, 2), (1, 5), (2, 3), (4, 8), (5, 6)])
def test_an_empty_proof_between_two_sizes_proves_nothing(first: int, second: int) -> None:
    """Also where both roots are the same: the tree would have grown without a new root."""
    old, new = RULE.root(ENTRIES[:first]), RULE.root(ENTRIES[:second])
    for roots in ((old, new), (old, old), (new, new)):
        with pytest.raises(InvalidTree):
            RULE.check_consistency(first, second, *roots, [])


def test_a_tree_of_one_is_its_leaf_and_an_empty_one_has_none() -> None:
    root = RULE.root(ENTRIES[:1])
    RULE.check_inclusion(ENTRIES[0], 0, 1, [], root)
    for index, size, proof, against in ((0, 0, [], root), (0, 0, [], RULE.hash(b"")), (0, 1, [root], root)):
        with pytest.raises(InvalidTree):
            RULE.check_inclusion(ENTRIES[0], index, size, proof, against)
    with pytest.raises(InvalidTree):
        RULE.check_inclusion(ENTRIES[1], 0, 1, [], root)


def test_every_node_of_a_proof_has_32_bytes() -> None:
    """A byte moved from one node to the next leaves the hash over both as it was."""
    first, second = 6, 8
    low, *rest = RULE.consistency_proof(ENTRIES[:second], first)
    moved = [low[1:], rest[0] + low[:1], *rest[1:]]
    roots = RULE.root(ENTRIES[:first]), RULE.root(ENTRIES[:second])
    RULE.check_consistency(first, second, *roots, [low, *rest])
    assert RULE.node_hash(rest[0], low) == RULE.node_hash(moved[1], moved[0])
    with pytest.raises(InvalidTree, match="32 bytes"):
        RULE.check_consistency(first, second, *roots, moved)


def test_a_node_is_no_leaf() -> None:
    """Without the prefixes of RFC 6962 an inner node's two hashes would pass for an entry."""
    inner = RULE.leaf_hash(ENTRIES[0]) + RULE.leaf_hash(ENTRIES[1])
    path, root = RULE.inclusion_proof(ENTRIES[:4], 0)[1:], RULE.root(ENTRIES[:4])
    with pytest.raises(InvalidTree):
        RULE.check_inclusion(inner, 0, 2, path, root)
