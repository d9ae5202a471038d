"""The payout tree: double-keccak leaves, sorted pairs, the array layout of `@openzeppelin/merkle-tree`.

Any wallet's StandardMerkleTree builds the same root; OpenZeppelin's MerkleProof checks the proofs on chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi import encode
from eth_utils import keccak

from contracts.errors import InvalidTree

LEAF_TYPES = ("uint256", "address", "uint64", "uint256", "address", "uint8", "uint256")


@dataclass(frozen=True)
class Payout:
    """One line of an epoch's payout; `amount` in token units, `kind` 0 compute, 1 code, 2 capital, 3 data."""

    chain_id: int
    distributor: str
    epoch: int
    index: int
    account: str
    kind: int
    amount: int

    def leaf(self) -> bytes:
        """keccak(keccak(abi.encode(...))): also the receipt under which the token is minted."""
        values = (
            self.chain_id,
            self.distributor,
            self.epoch,
            self.index,
            self.account,
            self.kind,
            self.amount,
        )
        return keccak(keccak(encode(LEAF_TYPES, values)))


class PayoutTree:
    """Complete binary tree in an array: children of i are 2i+1 and 2i+2, leaves sorted and placed from the end."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise InvalidTree("a payout tree needs at least one payee")
        size = 2 * len(leaves) - 1
        self._nodes = [b""] * size
        self._position = {leaf: size - 1 - rank for rank, leaf in enumerate(sorted(leaves))}
        if len(self._position) != len(leaves):
            raise InvalidTree("two payees share one leaf")
        for leaf, position in self._position.items():
            self._nodes[position] = leaf
        for position in reversed(range(size - len(leaves))):
            self._nodes[position] = _pair(self._nodes[2 * position + 1], self._nodes[2 * position + 2])

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self._nodes[0]

    def proof(self, leaf: bytes) -> list[bytes]:
        """Siblings from leaf to root. Raises InvalidTree for a leaf that is not in the tree."""
        if leaf not in self._position:
            raise InvalidTree("no such payee in this epoch")
        position, siblings = self._position[leaf], []
        while position:
            siblings.append(self._nodes[position + 1 if position & 1 else position - 1])
            position = (position - 1) // 2
        return siblings


def check_proof(leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """What OpenZeppelin's MerkleProof.verify computes. Raises InvalidTree."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    if node != root:
        raise InvalidTree("payout proof does not lead to the epoch's root")


def _pair(left: bytes, right: bytes) -> bytes:
    return keccak(min(left, right) + max(left, right))
