"""A node's copy of the log that the operator signed, proven by tiles of any source.

An entry is kept as soon as its bundle hashes to a tile under a signed head that follows on the whole copy. Entries
beyond the heads of k verifiers are provisional: where the operator shows two logs, they can be dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contracts.errors import CommonweightError, InvalidTree
from contracts.files.whole_file import replace_file
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.tlog.bundles import check_bundle, parse_bundle
from contracts.tlog.checkpoint import Checkpoint, open_checkpoint
from contracts.tlog.keys import VerifierKey
from contracts.tlog.tile_tree import Read, TileReader
from contracts.tlog.tiles import WIDTH, tile_of
from trainer.log_view.leaves import LeafFile

LOADED = 4096
"""Entries that are in memory at once."""

OnEntry = Callable[[bytes], None]
"""Called with each entry that comes to the copy, in order; from the first one again after `retreat`."""


class TwoLogs(CommonweightError):
    """The operator signed a head that does not follow on what this copy holds."""

    code = "two-logs"


class LogView:
    """One log in a folder, under the operator's key. One thread at a time."""

    def __init__(self, folder: Path, log: VerifierKey, on_entry: OnEntry = lambda _: None) -> None:
        self.log = log
        self._on_entry = on_entry
        self._head = folder / "head"
        self._leaves = LeafFile(folder / "leaves")
        self._tree = GrowingTree()
        self._kept = 0
        """Entries under the head on the disk."""
        self._load()

    @property
    def size(self) -> int:
        """Entries in the copy."""
        return self._tree.size

    def root(self, size: int) -> bytes:
        """Root of the first `size` entries. Raises InvalidTree if there are fewer."""
        return self._tree.root(size)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries from `start` up to `end`."""
        return self._leaves.entries(start, end)

    def verified(self, note: bytes) -> Checkpoint:
        """The head in a note, under the operator's signature. Raises InvalidNote, InvalidCheckpoint, NoteNotSigned and
        BadLogSignature."""
        return open_checkpoint(note, self.log)

    def check(self, head: Checkpoint) -> None:
        """Raises TwoLogs if a head of at most `size` entries is of another log than this copy."""
        if head.size <= self.size and self.root(head.size) != head.root:
            raise TwoLogs(f"at {head.size} entries the operator signed another log than the one that is here")

    def extend(
        self, note: bytes, read: Read, goes_on: Callable[[], bool] = lambda: True, most: int | None = None
    ) -> None:
        """Come up to the head in a note, or to the first `most` entries under it, with the tiles that `read` gives,
        while `goes_on`. Where nothing is raised, the copy is a prefix of the head's log, or the head of the copy's.

        Raises TwoLogs, InvalidTile, and the errors of `verified` and `read`; entries that came before stay.
        """
        head = self.verified(note)
        self.check(head)
        if head.size > self.size:
            self._take(head, read, goes_on, head.size if most is None else min(most, head.size))
        if head.size == self.size != self._kept:
            replace_file(self._head, note)
            self._kept = head.size

    def retreat(self, size: int) -> None:
        """Drop all beyond the first `size` entries."""
        self._head.unlink(missing_ok=True)
        self._kept = 0
        self._leaves.truncate(size)
        self._grow()

    def close(self) -> None:
        """Let the file go."""
        self._leaves.close()

    def _take(self, head: Checkpoint, read: Read, goes_on: Callable[[], bool], most: int) -> None:
        reader = TileReader(read, head.size, head.root)
        if reader.tree().root(self.size) != self.root(self.size):
            raise TwoLogs(f"the head of {head.size} entries does not follow on the {self.size} that are here")
        for index in range(self.size // WIDTH, -(-most // WIDTH)):
            if not goes_on():
                return
            begin = index * WIDTH
            self._append(self._bundle(reader, read, index)[self.size - begin : most - begin])

    def _bundle(self, reader: TileReader, read: Read, index: int) -> list[bytes]:
        tile = tile_of(0, index, reader.size, entries=True)
        entries = parse_bundle(read(tile), tile.width)
        check_bundle(entries, reader.tile(tile_of(0, index, reader.size)))
        return entries

    def _append(self, entries: list[bytes]) -> None:
        self._leaves.append(entries)
        self._add(entries)

    def _add(self, entries: list[bytes]) -> None:
        self._tree.append(SHA256_TREE.leaf_hash(entry) for entry in entries)
        for entry in entries:
            self._on_entry(entry)

    def _load(self) -> None:
        """Load the entries on the disk if they lie under the head beside them; else they are fetched again."""
        try:
            head = self.verified(self._head.read_bytes())
            self._leaves.truncate(min(head.size, len(self._leaves)))
            self._grow(quietly=True)
            if self.size != head.size or self.root(head.size) != head.root:
                raise InvalidTree("the copy of the log is spoilt")
            self._kept = head.size
        except (OSError, CommonweightError):
            self._leaves.truncate(0)
        self._grow()

    def _grow(self, quietly: bool = False) -> None:
        """Build the tree over the entries on the disk, from the first one on."""
        self._tree = GrowingTree()
        for start in range(0, len(self._leaves), LOADED):
            entries = self.entries(start, min(start + LOADED, len(self._leaves)))
            if quietly:
                self._tree.append(SHA256_TREE.leaf_hash(entry) for entry in entries)
            else:
                self._add(entries)
