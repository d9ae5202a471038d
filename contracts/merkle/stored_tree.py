"""An RFC 6962 tree kept as the hashes of its complete subtrees: they never change, so every past tree stays provable.

The node at level l with index i is the root over the leaves from i·2^l up to (i + 1)·2^l. Nodes are numbered in the
order in which they come to be: leaf 0, leaf 1, the node over both, leaf 2, ... A store therefore only appends (two
nodes a leaf, on average), and a node's place follows from its number alone. Every root and proof, of any size that the
tree ever had, reads at most two nodes a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE, PositionalTree
from contracts.merkle.tree_spans import Span, consistency_spans, inclusion_spans

Fetch = Callable[[Sequence[int]], Mapping[int, bytes]]
"""Hashes by node number; nodes that are not stored are left out."""

NODE = 32


def node_count(size: int) -> int:
    """Nodes of a tree of `size` leaves; also the number of leaf `size`, the next node that comes to be."""
    return 2 * size - size.bit_count()


def node_number(level: int, index: int) -> int:
    """The number of a node: it comes `level` nodes after its last leaf."""
    return node_count(((index + 1) << level) - 1) + level


def complete_nodes(span: Span) -> list[int]:
    """Numbers of the complete subtrees that make up a subtree, from left to right: one for each bit of its width."""
    start, end = span
    numbers = []
    while start < end:
        level = (end - start).bit_length() - 1
        numbers.append(node_number(level, start >> level))
        start += 1 << level
    return numbers


@dataclass(frozen=True)
class StoredTree:
    """Roots and proofs of a tree whose nodes `fetch` gets, all that a call needs at once. Raises InvalidTree."""

    fetch: Fetch
    rule: PositionalTree = SHA256_TREE

    def root(self, size: int) -> bytes:
        """Root of the first `size` leaves; of none it is the hash of nothing."""
        return self._roots([(0, size)])[0] if size else self.rule.hash(b"")

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Siblings of leaf `index` in the tree of `size`, from leaf to root."""
        return self._roots(inclusion_spans(index, size))

    def consistency_proof(self, first: int, second: int) -> list[bytes]:
        """Proof that the tree of `first` leaves is a prefix of that of `second`."""
        return self._roots(consistency_spans(first, second))

    def grown(self, size: int, leaves: Sequence[bytes]) -> list[bytes]:
        """The nodes that come to be when these leaf hashes follow on `size` leaves; numbers from node_count(size)."""
        waiting = self._peaks(size, size + len(leaves))
        nodes: list[bytes] = []
        for index, leaf in enumerate(leaves, start=size):
            node = leaf
            nodes.append(node)
            for _ in range(_completed(index)):
                node = self.rule.node_hash(waiting.pop(), node)
                nodes.append(node)
            waiting.append(node)
        return nodes

    def _peaks(self, size: int, grown: int) -> list[bytes]:
        """The subtrees that make up the tree of `size` and have a parent in the tree of `grown`."""
        numbers = []
        start = 0
        for number, level in zip(complete_nodes((0, size)), _levels(size), strict=True):
            parent_end = (start >> level + 1) + 1 << level + 1
            numbers += [number] if parent_end <= grown else []
            start += 1 << level
        hashes = self._read(numbers)
        return [hashes[number] for number in numbers]

    def _roots(self, spans: Sequence[Span]) -> list[bytes]:
        parts = [complete_nodes(span) for span in spans]
        hashes = self._read([number for part in parts for number in part])
        return [self._joined([hashes[number] for number in part]) for part in parts]

    def _joined(self, nodes: Sequence[bytes]) -> bytes:
        """The root over adjacent complete subtrees, which get smaller from left to right (RFC 6962, 2.1)."""
        *rest, root = nodes
        for node in reversed(rest):
            root = self.rule.node_hash(node, root)
        return root

    def _read(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        hashes = self.fetch(numbers) if numbers else {}
        missing = [number for number in numbers if number not in hashes]
        if missing:
            raise InvalidTree(f"the tree lacks node {missing[0]}")
        return hashes


class GrowingTree:
    """A stored tree in memory, 64 bytes a leaf: a reader of the log keeps it instead of the entries."""

    def __init__(self) -> None:
        self._nodes = bytearray()
        self._tree = StoredTree(self._fetch)
        self.size = 0

    @property
    def stored(self) -> StoredTree:
        """The tree, for proofs and for nodes by number."""
        return self._tree

    def append(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes."""
        added = list(leaves)
        self._nodes += b"".join(self._tree.grown(self.size, added))
        self.size += len(added)

    def root(self, size: int) -> bytes:
        """Root of the first `size` leaves. Raises InvalidTree if there are fewer."""
        if not 0 <= size <= self.size:
            raise InvalidTree(f"the tree has {self.size} leaves, not {size}")
        return self._tree.root(size)

    def _fetch(self, numbers: Sequence[int]) -> dict[int, bytes]:
        stored = [number for number in numbers if number * NODE < len(self._nodes)]
        return {number: bytes(self._nodes[number * NODE : (number + 1) * NODE]) for number in stored}


def _completed(index: int) -> int:
    """How many subtrees leaf `index` completes: the ones at the end of its binary form."""
    return ((index + 1) & -(index + 1)).bit_length() - 1


def _levels(size: int) -> list[int]:
    return [level for level in reversed(range(size.bit_length())) if size >> level & 1]
