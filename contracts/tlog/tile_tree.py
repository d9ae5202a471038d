"""Tiles from a stored tree, and a stored tree from tiles: a static copy of a log is enough to verify it.

A TileReader is told size and root by a signed checkpoint. It reads the partial tiles at first, from which the root must
follow, and every full tile must hash to its place in the tile above it. So each hash that it gives is one under the
root, and StoredTree makes proofs from it that hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import Fetch, StoredTree, node_count, node_number
from contracts.tlog.text import HASH
from contracts.tlog.tiles import BITS, WIDTH, InvalidTile, Tile, edge_of, tile_of, tiles_of

Read = Callable[[Tile], bytes]
"""The bytes under a tile's name, from wherever: a folder, a mirror. Nothing is believed about them."""

KEPT = 1024
"""Full tiles that a reader keeps, of 8 kB each."""


def tile_bytes(fetch: Fetch, tile: Tile) -> bytes:
    """The tile's hashes, 32 bytes each, from a stored tree's nodes. Raises InvalidTree if one is missing."""
    first = tile.index * WIDTH
    numbers = [node_number(tile.level * BITS, first + at) for at in range(tile.width)]
    hashes = fetch(numbers)
    missing = [number for number in numbers if number not in hashes]
    if missing:
        raise InvalidTree(f"the tree lacks node {missing[0]}, of {tile.path()}")
    return b"".join(hashes[number] for number in numbers)


def node_place(number: int) -> tuple[int, int]:
    """Level and index of the node with this number: the inverse of node_number."""
    leaf = number // 2
    while node_count(leaf + 1) <= number:
        leaf += 1
    level = number - node_count(leaf)
    return level, (leaf + 1 >> level) - 1


class TileReader:
    """Hashes of the log of `size` entries under `root`, out of tiles. Raises InvalidTile for a tile that is not its."""

    def __init__(self, read: Read, size: int, root: bytes) -> None:
        self.size = size
        self._read = read
        self._full: dict[Tile, bytes] = {}
        self._edge = {tile: self._fresh(tile) for tile in edge_of(size)}
        if self._root() != root:
            raise InvalidTile(f"the partial tiles of {size} entries do not lead to the root")

    def tree(self) -> StoredTree:
        """The tree, for roots and proofs of this log at any earlier size too."""
        return StoredTree(self.fetch)

    def fetch(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        """Nodes by number, as StoredTree asks for them; those beyond the log are left out."""
        nodes = {number: node_place(number) for number in numbers}
        within = {n: node for n, node in nodes.items() if node[1] + 1 << node[0] <= self.size}
        return {number: self.node(*node) for number, node in within.items()}

    def node(self, level: int, index: int) -> bytes:
        """The root over leaves from index·2^level, 2^level of them."""
        above, inside = divmod(level, BITS)
        column, start = divmod(index << inside, WIDTH)
        tile = self.tile(tile_of(above, column, self.size))
        return _root_over(tile[start * HASH : (start + (1 << inside)) * HASH])

    def tile(self, tile: Tile) -> bytes:
        """A tile of this log, verified. Raises InvalidTile."""
        tile.check_within(self.size)
        widest = tile_of(tile.level, tile.index, self.size)
        return (self._edge.get(widest) or self._verified(widest))[: tile.width * HASH]

    def _verified(self, tile: Tile) -> bytes:
        data = self._full.get(tile)
        if data is None:
            data = self._fresh(tile)
            if _root_over(data) != self.node((tile.level + 1) * BITS, tile.index):
                raise InvalidTile(f"{tile.path()} does not hash to its place in the tile above")
            self._keep(tile, data)
        return data

    def _keep(self, tile: Tile, data: bytes) -> None:
        if len(self._full) >= KEPT:
            del self._full[next(iter(self._full))]
        self._full[tile] = data

    def _fresh(self, tile: Tile) -> bytes:
        data = self._read(tile)
        if len(data) != tile.width * HASH:
            raise InvalidTile(f"{tile.path()} must have {tile.width * HASH} bytes, not {len(data)}")
        return data

    def _root(self) -> bytes:
        """All subtrees that make up the log lie in partial tiles, since a full one is one hash in the next level."""
        return self.tree().root(self.size)


def check_tiles(read: Read, size: int, root: bytes) -> None:
    """Raises InvalidTile unless all tiles of the log of `size` entries are there and hash to the root."""
    reader = TileReader(read, size, root)
    for tile in tiles_of(size):
        reader.tile(tile)


def _root_over(hashes: bytes) -> bytes:
    """The root over 1, 2, 4, ... or 256 neighbouring hashes of 32 bytes."""
    row = [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
    while len(row) > 1:
        row = [SHA256_TREE.node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]
