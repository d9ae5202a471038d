"""Merkle trees of RFC 6962 shape: proofs bind the position of a leaf and the size of the tree.

SHA256_TREE is the transparency log's tree (RFC 6962, section 2.1); KECCAK_TREE, of the same shape, commits a node
to its state digests with a hash that a contract computes cheaply.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.errors import InvalidTree
from contracts.keccak import keccak256
from contracts.merkle.tree_spans import Span, consistency_spans, inclusion_spans, split

Hash = Callable[[bytes], bytes]


@dataclass(frozen=True)
class PositionalTree:
    """An RFC 6962 tree over one 32-byte hash function."""

    hash: Hash

    def leaf_hash(self, entry: bytes) -> bytes:
        """hash(0x00 || entry)."""
        return self.hash(b"\x00" + entry)

    def node_hash(self, left: bytes, right: bytes) -> bytes:
        """hash(0x01 || left || right)."""
        return self.hash(b"\x01" + left + right)

    def root(self, entries: Sequence[bytes]) -> bytes:
        """Root over entries; the empty tree's is hash of nothing."""
        return self._subroot([self.leaf_hash(entry) for entry in entries])

    def inclusion_proof(self, entries: Sequence[bytes], index: int) -> list[bytes]:
        """Siblings from leaf to root (RFC 6962, 2.1.1). Raises InvalidTree."""
        return self._roots(entries, inclusion_spans(index, len(entries)))

    def consistency_proof(self, entries: Sequence[bytes], first: int) -> list[bytes]:
        """Proof that the tree of the first `first` entries is a prefix (RFC 6962, 2.1.2). Raises InvalidTree."""
        return self._roots(entries, consistency_spans(first, len(entries)))

    def check_inclusion(self, entry: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
        """RFC 9162, 2.1.3.2. Raises InvalidTree unless `entry` is leaf `index` of the tree of `size` with `root`."""
        if not 0 <= index < size:
            raise InvalidTree(f"index {index} is not in a tree of {size} entries")
        _check_nodes(proof)
        position = index
        last = size - 1
        node = self.leaf_hash(entry)
        for sibling in proof:
            if last == 0:
                raise InvalidTree("inclusion proof is too long")
            if position & 1 or position == last:
                node = self.node_hash(sibling, node)
                while position and not position & 1:
                    position = position >> 1
                    last = last >> 1
            else:
                node = self.node_hash(node, sibling)
            position = position >> 1
            last = last >> 1
        if last != 0 or node != root:
            raise InvalidTree("inclusion proof does not lead to the root")

    def check_consistency(
        self, first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
    ) -> None:
        """RFC 9162, 2.1.4.2, with the empty and the equal tree decided first. Raises InvalidTree."""
        if not 0 <= first <= second:
            raise InvalidTree(f"a tree cannot shrink from {first} to {second}")
        _check_nodes(proof)
        if first == 0 or first == second:
            self._check_trivial(first, first_root, second_root, proof)
            return
        if not proof:
            raise InvalidTree("consistency proof is empty")
        path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
        old, new = self._fold(path, first - 1, second - 1)
        if old != first_root or new != second_root:
            raise InvalidTree("consistency proof does not lead to both roots")

    def _check_trivial(self, first: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
        if proof:
            raise InvalidTree("consistency proof must be empty here")
        if first == 0 and first_root != self.hash(b""):
            raise InvalidTree("the empty tree has another root")
        if first and first_root != second_root:
            raise InvalidTree("two roots for one size")

    def _fold(self, path: Sequence[bytes], position: int, last: int) -> tuple[bytes, bytes]:
        while position & 1:
            position = position >> 1
            last = last >> 1
        old = new = path[0]
        for sibling in path[1:]:
            if last == 0:
                raise InvalidTree("consistency proof is too long")
            if position & 1 or position == last:
                old = self.node_hash(sibling, old)
                new = self.node_hash(sibling, new)
                while position and not position & 1:
                    position = position >> 1
                    last = last >> 1
            else:
                new = self.node_hash(new, sibling)
            position = position >> 1
            last = last >> 1
        if last != 0:
            raise InvalidTree("consistency proof is too short")
        return old, new

    def _roots(self, entries: Sequence[bytes], spans: Sequence[Span]) -> list[bytes]:
        hashes = [self.leaf_hash(entry) for entry in entries]
        return [self._subroot(hashes[start:end]) for start, end in spans]

    def _subroot(self, hashes: Sequence[bytes]) -> bytes:
        if not hashes:
            return self.hash(b"")
        if len(hashes) == 1:
            return hashes[0]
        middle = split(len(hashes))
        return self.node_hash(self._subroot(hashes[:middle]), self._subroot(hashes[middle:]))


def _check_nodes(proof: Sequence[bytes]) -> None:
    """A byte moved from one node to the next would leave the hash over both as it was."""
    if any(len(node) != 32 for node in proof):
        raise InvalidTree("a proof's node must have 32 bytes")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


SHA256_TREE = PositionalTree(_sha256)
KECCAK_TREE = PositionalTree(keccak256)
