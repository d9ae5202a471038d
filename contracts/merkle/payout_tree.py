"""The payout tree: double-keccak leaves, sorted pairs, the array layout of `@openzeppelin/merkle-tree`.

Any wallet's StandardMerkleTree builds the same root; OpenZeppelin's MerkleProof checks the proofs on chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap

from contracts.errors import InvalidTree
from contracts.ids import Address
from contracts.keccak import keccak256

LEAF_TYPES = ("uint256", "address", "uint64", "uint256", "address", "uint8", "uint256")
_WIDTHS = (32, 20, 8, 32, 20, 1, 32)
NODE = 32


@dataclass(frozen=True, slots=True)
class Payout:
    """One line of an epoch's payout; `amount` in token units, `kind` 0 compute, 1 code, 2 capital, 3 data."""

    chain_id: int
    distributor: str
    epoch: int
    index: int
    account: Address
    kind: int
    amount: int

    def leaf(self) -> bytes:
        """keccak(keccak(abi.encode(...))): also the receipt under which the token is minted.

        All of LEAF_TYPES are static, so that abi.encode is each value in a word of 32 bytes (Solidity ABI, section
        "Formal specification of the encoding"). Raises OverflowError for a value that its type does not hold.
        """
        values = (
            self.chain_id,
            int(self.distributor, 16),
            self.epoch,
            self.index,
            int(self.account, 16),
            self.kind,
            self.amount,
        )
        words = (v.to_bytes(width, "big").rjust(32, b"\0") for v, width in zip(values, _WIDTHS, strict=True))
        return keccak256(keccak256(b"".join(words)))


class PayoutTree:
    """Complete binary tree in an array: children of i are 2i+1 and 2i+2, leaves sorted and placed from the end.

    `nodes` is that array, 32 bytes a node; it may be a file of a tree that was built before, mapped into memory.
    """

    def __init__(self, nodes: bytes | bytearray | mmap) -> None:
        if not nodes or len(nodes) % (2 * NODE) != NODE:
            raise InvalidTree(f"{len(nodes)} bytes are no payout tree")
        self.nodes = nodes
        self.count = (len(nodes) // NODE + 1) // 2

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> PayoutTree:
        """The tree of these leaves, in any order. Raises InvalidTree if there is none or one comes twice."""
        ranked = sorted(leaves, reverse=True)
        if not ranked:
            raise InvalidTree("a payout tree needs at least one payee")
        if any(leaf == next_ for leaf, next_ in pairwise(ranked)):
            raise InvalidTree("two payees share one leaf")
        nodes = bytearray((len(ranked) - 1) * NODE) + b"".join(ranked)
        for offset in range((len(ranked) - 2) * NODE, -1, -NODE):
            child = 2 * offset + NODE
            nodes[offset : offset + NODE] = _pair(
                bytes(nodes[child : child + NODE]), bytes(nodes[child + NODE : child + 2 * NODE])
            )
        return cls(nodes)

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self._node(0)

    def proof(self, leaf: bytes) -> list[bytes]:
        """Siblings from leaf to root. Raises InvalidTree for a leaf that is not in the tree."""
        position = self._position(leaf)
        siblings = []
        while position:
            siblings.append(self._node(position + 1 if position & 1 else position - 1))
            position = (position - 1) // 2
        return siblings

    def _position(self, leaf: bytes) -> int:
        """Leaves fall from the first of them to the last: a binary search finds one."""
        low = self.count - 1
        high = 2 * self.count - 2
        while low < high:
            middle = (low + high) // 2
            if self._node(middle) > leaf:
                low = middle + 1
            else:
                high = middle
        if self._node(low) != leaf:
            raise InvalidTree("no such payee in this epoch")
        return low

    def _node(self, position: int) -> bytes:
        return bytes(self.nodes[position * NODE : (position + 1) * NODE])


def check_proof(leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """The check of OpenZeppelin's MerkleProof.verify. Raises InvalidTree."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    if node != root:
        raise InvalidTree("payout proof does not lead to the epoch's root")


def _pair(left: bytes, right: bytes) -> bytes:
    return keccak256(left + right if left < right else right + left)
