"""Proofs that a part of a log is a part of it: tlog-mirror sends one with each package of entries.

A subtree [start, end) begins at a multiple of the power of two that its length fills. Its root is that of RFC 6962 over
its leaves, and a proof leads from it to the log's root. From a start of 0 it is a consistency proof, of one leaf an
inclusion proof. The rule is that of the IETF's draft of Merkle tree certificates (draft-ietf-plants-merkle-tree-certs,
section 4), to which C2SP's tlog-mirror refers.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import StoredTree, complete_nodes
from contracts.merkle.tree_spans import Span, split
from contracts.tlog.text import HASH


def check_span(start: int, end: int, size: int) -> None:
    """Raises InvalidTree unless [start, end) is a subtree, not empty, in a tree of `size` leaves."""
    if not 0 <= start < end <= size:
        raise InvalidTree(f"no part from {start} to {end} in a tree of {size}")
    if start % (1 << (end - start - 1).bit_length()):
        raise InvalidTree(f"the part from {start} to {end} is no subtree")


def subtree_spans(start: int, end: int, size: int) -> tuple[list[Span], bool]:
    """The spans of a proof, from the lowest up, and whether the first stands in for the subtree itself.

    It does where the subtree is no node of the tree of `size`: then the proof begins with the last node within it.
    Raises InvalidTree.
    """
    check_span(start, end, size)
    low = 0
    high = size
    first = start
    spans = []
    while (first, end) != (low, high):
        middle = low + split(high - low)
        if end <= middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            first = max(first, middle)
            low = middle
    inside = first != start
    return [*([(first, end)] if inside else []), *reversed(spans)], inside


def subtree_proof(tree: StoredTree, start: int, end: int, size: int) -> list[bytes]:
    """Proof of the subtree [start, end) in the tree of `size`: at most 63 hashes of 32 bytes. Raises InvalidTree."""
    spans, _ = subtree_spans(start, end, size)
    parts = [complete_nodes(span) for span in spans]
    numbers = [number for part in parts for number in part]
    hashes = tree.fetch(numbers) if numbers else {}
    missing = [number for number in numbers if number not in hashes]
    if missing:
        raise InvalidTree(f"the tree lacks node {missing[0]}")
    return [_joined([hashes[number] for number in part]) for part in parts]


def subtree_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes of 32 bytes, at least one: check_subtree takes it as `node`."""
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return SHA256_TREE.node_hash(subtree_root(leaves[:middle]), subtree_root(leaves[middle:]))


def check_subtree(start: int, end: int, node: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Raises InvalidTree unless `node` is the root over [start, end) in the log of `size` with `root`."""
    spans, inside = subtree_spans(start, end, size)
    if len(proof) != len(spans):
        raise InvalidTree(f"the proof must have {len(spans)} nodes, not {len(proof)}")
    if any(len(part) != HASH for part in proof):
        raise InvalidTree(f"a proof's node must have {HASH} bytes")
    roots = _fold(list(zip(spans, proof, strict=True)), inside, start, node)
    if roots != (node, root):
        raise InvalidTree("the proof does not lead from the subtree to the root")


def _fold(steps: list[tuple[Span, bytes]], inside: bool, start: int, node: bytes) -> tuple[bytes, bytes]:
    """The roots of the subtree and of the tree that a proof leads to."""
    low = start
    subtree = node
    if inside:
        ((low, _), subtree), *steps = steps
    tree = subtree
    for (begin, _), part in steps:
        if begin > low:
            tree = SHA256_TREE.node_hash(tree, part)
            continue
        tree = SHA256_TREE.node_hash(part, tree)
        subtree = SHA256_TREE.node_hash(part, subtree) if begin >= start else subtree
        low = begin
    return subtree, tree


def _joined(nodes: Sequence[bytes]) -> bytes:
    """The root over neighbouring complete subtrees, which get smaller from left to right."""
    *rest, root = nodes
    for node in reversed(rest):
        root = SHA256_TREE.node_hash(node, root)
    return root
