"""A mirror's copy of the log: entries, the tree over them, the heads that lead to them, and its own signed head.

As C2SP's tlog-mirror has it. A *pending head* is signed by the operator and consistent with all before it; entries are
kept as soon as they are proven to lie under one. The *mirror's head* is the largest pending one whose entries are all
here and whose log the owner's machine takes; it bears this verifier's cosignature (`Head` of J2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.positional_tree import SHA256_TREE
from contracts.stored_tree import GrowingTree, StoredTree, node_number
from contracts.tlog.bundles import format_bundle
from contracts.tlog.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.keys import SigningKey, VerifierKey
from contracts.tlog.note import NoteSignature, SignedNote, parse_note
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile
from verifier.mirror import evidence
from verifier.mirror.database import Database
from verifier.mirror.errors import CheckpointRefused, HeadContradicts, NotHeld, StoreUnusable, UnknownLog
from verifier.mirror.evidence import Evidence, EvidenceBox

PENDING = 64
"""Pending heads that are remembered, so that an upload to one of them may go on when the next one comes."""

LOADED = 4096
"""Entries that are in memory at once while a copy is opened."""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entry (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), note BLOB NOT NULL);
{evidence.SCHEMA}
"""
_NEXT_ENTRIES = "SELECT place, body FROM entry WHERE place >= ? ORDER BY place LIMIT ?"
_FORGET_OLD = "DELETE FROM pending WHERE size NOT IN (SELECT size FROM pending ORDER BY size DESC LIMIT ?)"


@dataclass(frozen=True)
class Cosigner:
    """This verifier's Ed25519 key, the name that it signs under, and its clock in seconds since 1970."""

    name: str
    key: SigningKey
    now: Callable[[], int]


@dataclass(frozen=True)
class Head:
    """A head that the operator signed."""

    note: SignedNote
    checkpoint: Checkpoint


@dataclass(frozen=True)
class State:
    """Of a copy at one time: its entries, those under the mirror's head, and the heads that are remembered."""

    size: int
    signed: int
    known: tuple[Head, ...]


class LogCopy:
    """One log in a folder. `admit(size)` has the owner's machine apply the first `size` entries; it raises a
    CommonweightError where the log does not hold, and then no head over them is signed."""

    def __init__(
        self, folder: Path, log: VerifierKey, cosigner: Cosigner, admit: Callable[[int], None] = lambda _: None
    ) -> None:
        self.log, self._cosigner, self._admit = log, cosigner, admit
        self._file, self._lock = Database(folder / "log.db", _SCHEMA), threading.RLock()
        self.evidence = EvidenceBox(self._file)
        self._tree = GrowingTree()
        self._load()

    @property
    def size(self) -> int:
        """Entries that are here: also the number of the next one."""
        return self._tree.size

    @property
    def signed(self) -> int:
        """Entries under the mirror's head, 0 without one."""
        head = self.head()
        return head.checkpoint.size if head else 0

    @property
    def stored(self) -> StoredTree:
        """The tree, for proofs."""
        return self._tree.stored

    def root(self, size: int) -> bytes:
        """Root of the first `size` entries. Raises InvalidTree."""
        return self._tree.root(size)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries from `start` up to `end`. Raises NotHeld where one is missing."""
        query = "SELECT body FROM entry WHERE place >= ? AND place < ? ORDER BY place"
        found = [row[0] for row in self._file.rows(query, start, end)]
        if len(found) != end - start:
            raise NotHeld(f"this copy has {self.size} entries")
        return found

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of entries that are here."""
        found = self.stored.fetch([node_number(0, place) for place in range(start, end)])
        return list(found.values())

    def tile(self, tile: Tile) -> bytes:
        """A tile, or the entries under one. Raises NotHeld for one beyond the entries that are here."""
        try:
            tile.check_within(self.size)
        except InvalidTile as error:
            raise NotHeld(error.detail) from None
        if not tile.entries:
            return tile_bytes(self.stored.fetch, tile)
        start = tile.index * WIDTH
        return format_bundle(self.entries(start, start + tile.width))

    def pending(self) -> Head | None:
        """The newest head that the operator signed."""
        rows = self._file.rows("SELECT note FROM pending ORDER BY size DESC LIMIT 1")
        return _head(rows[0][0]) if rows else None

    def pending_at(self, size: int) -> Head | None:
        """A pending head of exactly this size."""
        rows = self._file.rows("SELECT note FROM pending WHERE size = ?", size)
        return _head(rows[0][0]) if rows else None

    def head(self) -> Head | None:
        """The mirror's head, with the operator's signature and this verifier's cosignature."""
        rows = self._file.rows("SELECT note FROM head")
        return _head(rows[0][0]) if rows else None

    def verified(self, note: SignedNote) -> Head:
        """A head of this log under the operator's signature. Raises UnknownLog and CheckpointRefused."""
        checkpoint = parse_checkpoint(note.text)
        if checkpoint.origin != self.log.name:
            raise UnknownLog("this mirror copies another log")
        try:
            verify_checkpoint(note, self.log)
        except CommonweightError as error:
            raise CheckpointRefused(f"not signed by the log: {error.detail}") from None
        return Head(SignedNote(note.text, _lines_of(note, self.log)), checkpoint)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """What is read and written inside is one step for all others."""
        with self._lock:
            yield

    def check_head(self, head: Head) -> None:
        """Compare a verified head with those that are known here. Raises HeadContradicts, and keeps both heads."""
        with self._lock:
            size, signed, known = head.checkpoint.size, self.signed, self.pending_at(head.checkpoint.size)
            if size <= signed:
                root = self.root(size)
            elif known is not None:
                root = known.checkpoint.root
            else:
                return
            if root != head.checkpoint.root:
                self._convict(head, root)
                raise HeadContradicts(f"the operator signed two logs: at {size} entries this copy has another root")

    def state(self) -> State:
        """Now. Of heads that are remembered there is one a size: pending ones, and the mirror's own."""
        with self._lock:
            rows = self._file.rows("SELECT note FROM head") + self._file.rows("SELECT note FROM pending ORDER BY size")
            found = {head.checkpoint.size: head for head in (_head(row[0]) for row in rows)}
            return State(self.size, self.signed, tuple(found.values()))

    def add_pending(self, head: Head, without: Sequence[int] = ()) -> None:
        """Remember a head that was proven to be consistent with the newest one, or in the place of some that led to
        nothing: `without` are their sizes."""
        with self._lock, self._file.write() as tables:
            tables.executemany("DELETE FROM pending WHERE size = ?", [(size,) for size in without])
            tables.execute("INSERT OR IGNORE INTO pending VALUES (?, ?)", (head.checkpoint.size, head.note.format()))
            tables.execute(_FORGET_OLD, (PENDING,))

    def retreat(self) -> None:
        """Give entries up that are beyond the mirror's head: they lie under a head whose rest nobody shows."""
        with self._lock:
            kept, size = GrowingTree(), self.signed
            kept.append(self.leaves(0, size))
            with self._file.write() as tables:
                tables.execute("DELETE FROM entry WHERE place >= ?", (size,))
            self._tree = kept

    def append(self, start: int, entries: Sequence[bytes]) -> None:
        """Keep entries from `start` on that were proven to lie under a pending head; known ones are passed over."""
        with self._lock:
            new = list(enumerate(entries, start))[max(0, self.size - start) :]
            if not new:
                return
            assert new[0][0] == self.size, "no gap was let through"
            with self._file.write() as tables:
                tables.executemany("INSERT INTO entry VALUES (?, ?)", new)
            self._tree.append(SHA256_TREE.leaf_hash(entry) for _, entry in new)

    def sign(self, pending: Head) -> tuple[NoteSignature, ...]:
        """Make a pending head, all of whose entries are here, the mirror's head; a larger one stays.

        Returns the cosignature. Raises what the owner's machine raises, and HeadContradicts.
        """
        size = pending.checkpoint.size
        self._admit(size)
        with self._lock:
            if self.root(size) != pending.checkpoint.root:
                raise HeadContradicts(f"the entries up to {size} are of another log than this head")
            line = cosign(pending.note.text, self._cosigner.name, self._cosigner.key, self._cosigner.now())
            if self.head() is None or self.signed < size:
                with self._file.write() as tables:
                    tables.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (pending.note.adding(line).format(),))
        return (line,)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _convict(self, head: Head, root: bytes) -> None:
        """The log here has `root` at the size of a head that says something else."""
        size = head.checkpoint.size
        query = "SELECT note FROM pending WHERE size >= ? AND size <= ? ORDER BY size LIMIT 1"
        rows = self._file.rows(query, size, max(size, self.size))
        if rows:
            other = _head(rows[0][0])
            proof = self._consistency(size, other.checkpoint.size)
            self.evidence.add(Evidence(head.note.format(), other.note.format(), root, proof))

    def _consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        return tuple(self.stored.consistency_proof(first, second)) if 0 < first < second else ()

    def _load(self) -> None:
        """Raises StoreUnusable where the entries on the disk are not those under the signed head."""
        while rows := self._file.rows(_NEXT_ENTRIES, self.size, LOADED):
            places = [place for place, _ in rows]
            if places != list(range(self.size, self.size + len(rows))) or not all(type(b) is bytes for _, b in rows):
                raise StoreUnusable("entries are missing from the copy of the log; remove it, and it is fetched again")
            self._tree.append(SHA256_TREE.leaf_hash(body) for _, body in rows)
        head = self.head()
        size = head.checkpoint.size if head else 0
        if head is not None and (size > self.size or self.root(size) != head.checkpoint.root):
            raise StoreUnusable("the copy of the log is spoilt; remove it, and it is fetched again")


def _head(data: bytes) -> Head:
    note = parse_note(data)
    return Head(note, parse_checkpoint(note.text))


def _lines_of(note: SignedNote, log: VerifierKey) -> tuple[NoteSignature, ...]:
    """The operator's own lines: those of others may be anything, and many."""
    return tuple(line for line in note.signatures if (line.name, line.key_id) == (log.name, log.key_id))
