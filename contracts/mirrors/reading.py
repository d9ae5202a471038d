"""A log read from one place under one signed head: every entry hashes to a tile that lies under the head's root.

Nothing is kept but tiles, up to a bound: a log of any length takes the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.merkle.stored_tree import StoredTree
from contracts.mirrors.places import Place
from contracts.tlog.bundles import check_bundle, parse_bundle
from contracts.tlog.checkpoint import Checkpoint, verify_checkpoint
from contracts.tlog.keys import VerifierKey
from contracts.tlog.note import SignedNote, parse_note
from contracts.tlog.proof import LogProof, prove
from contracts.tlog.tile_tree import TileReader
from contracts.tlog.tiles import WIDTH, InvalidTile, tile_of


class LogReader:
    """The log of one key, as it stands under one head of a place; by default the one that the place shows now.

    Raises InvalidNote, NoteNotSigned, BadLogSignature, InvalidCheckpoint, InvalidTile, and what the place raises.
    """

    def __init__(self, place: Place, log: VerifierKey, note: SignedNote | None = None) -> None:
        self.place = place
        self.log = log
        self.note = note or parse_note(place.checkpoint())
        self.head: Checkpoint = verify_checkpoint(self.note, log)
        self._tiles = TileReader(place.tile, self.head.size, self.head.root)
        self._last: tuple[int, list[bytes]] = (-1, [])

    @property
    def size(self) -> int:
        """Entries of the log."""
        return self.head.size

    @property
    def tree(self) -> StoredTree:
        """The tree, for roots and proofs of this log at any earlier size too."""
        return self._tiles.tree()

    def entries(self, start: int = 0) -> Iterator[bytes]:
        """All entries from `start` on, each checked against its tile."""
        for index in range(start // WIDTH, -(-self.size // WIDTH)):
            yield from self._bundle(index)[max(0, start - index * WIDTH) :]

    def entry(self, index: int) -> bytes:
        """One entry. Raises InvalidTile for an index beyond the log."""
        if not 0 <= index < self.size:
            raise InvalidTile(f"a log of {self.size} entries has no entry {index}")
        return self._bundle(index // WIDTH)[index % WIDTH]

    def prove(self, index: int, note: SignedNote | None = None) -> LogProof:
        """Proof of an entry at its index, under the head or (`note`) the same head with more signatures."""
        return prove(self.tree, index, note or self.note)

    def _bundle(self, index: int) -> list[bytes]:
        if self._last[0] != index:
            tile = tile_of(0, index, self.size, entries=True)
            entries = parse_bundle(self.place.tile(tile), tile.width)
            check_bundle(entries, self._tiles.tile(tile_of(0, index, self.size)))
            self._last = (index, entries)
        return self._last[1]
