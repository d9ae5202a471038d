"""Which parts of an RFC 6962 tree a root or a proof is made of, as spans of leaves: nothing is hashed here.

A span (start, end) is the leaves from `start` up to, not including, `end`. Every span that these functions give is a
subtree of the tree it was asked about.
"""

from __future__ import annotations

from contracts.errors import InvalidTree

Span = tuple[int, int]


def split(size: int) -> int:
    """Largest power of two smaller than `size` (size > 1): where a tree parts (RFC 6962, 2.1)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_spans(index: int, size: int) -> list[Span]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1: siblings from the leaf up. Raises InvalidTree."""
    if not 0 <= index < size:
        raise InvalidTree(f"index {index} is not in a tree of {size} entries")
    start = 0
    end = size
    siblings = []
    while end - start > 1:
        middle = start + split(end - start)
        siblings.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return siblings[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """PROOF(first, D[second]) of RFC 6962, 2.1.2, from the lowest up. Raises InvalidTree."""
    if not 0 < first <= second:
        raise InvalidTree(f"no consistency proof from size {first} to {second}")
    start = 0
    end = second
    parts = []
    while first != end:
        middle = start + split(end - start)
        parts.append((middle, end) if first <= middle else (start, middle))
        start, end = (start, middle) if first <= middle else (middle, end)
    if start:  # else it is the whole old tree, whose root the reader has
        parts.append((start, end))
    return parts[::-1]
