"""A mirror's copy of the log: entries, the tree over them, the heads that lead to them, and its own signed head.

The copy follows C2SP's tlog-mirror. A *pending head* is signed by the operator and consistent with all before it.
Entries are kept as soon as they are proven to lie under one, and shown to the owner's machine as they come. An entry
that the machine refuses is dropped with every head above it, and no further entries are kept before the machine has
taken those that are here. The *mirror's head* is the largest pending one whose entries are all here and taken; it bears
this verifier's cosignature (`SignedHead` of J2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree, StoredTree, node_number
from contracts.protocol.judge.errors import Differs
from contracts.tlog.bundles import format_bundle
from contracts.tlog.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.keys import SigningKey, VerifierKey
from contracts.tlog.note import NoteSignature, SignedNote, parse_note
from contracts.tlog.text import MAX_SIZE
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, InvalidTile, Tile
from verifier.mirror.errors import CheckpointRefused, CopyChanged, HeadContradicts, NotHeld, StoreUnusable, UnknownLog
from verifier.mirror.store import branches, departures, evidence
from verifier.mirror.store.branches import Branches, CosignerKeys, LeftBranch, nobody
from verifier.mirror.store.database import Database
from verifier.mirror.store.departures import Departure, EntryRefused
from verifier.mirror.store.evidence import Evidence, EvidenceBox

PENDING = 64
"""Pending heads that are remembered, so that an upload to one of them may go on when the next one comes."""

LONGEST_HEAD = 4096
"""Bytes of a head's text: this project's have three lines, and evidence shows two of them whole."""

LOADED = 4096
"""Entries that are in memory at once while a copy is opened."""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entry (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), note BLOB NOT NULL);
{evidence.SCHEMA}
{departures.SCHEMA}
{branches.SCHEMA}
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
class SignedHead:
    """A head that the operator signed."""

    note: SignedNote
    checkpoint: Checkpoint


@dataclass(frozen=True)
class CopyState:
    """A copy at one time: the number of entries, of those under the mirror's head, and the remembered heads."""

    size: int
    signed: int
    known: tuple[SignedHead, ...]


class LogCopy:
    """One log in a folder. `advance(size)` has the owner's machine apply the first `size` entries, `admit(size)` says
    besides whether a head may end there. Both raise Differs for an entry that does not follow, and another
    CommonweightError where that cannot be said yet. `judges` gives k and the verifiers' keys."""

    def __init__(
        self,
        folder: Path,
        log: VerifierKey,
        cosigner: Cosigner,
        admit: Callable[[int], None] = lambda _: None,
        advance: Callable[[int], None] | None = None,
        judges: Callable[[], CosignerKeys] = nobody,
    ) -> None:
        self.log = log
        self.judges = judges
        self._cosigner = cosigner
        self._admit = admit
        self._advance = advance or admit
        self._file = Database(folder / "log.db", _SCHEMA)
        self._machine = threading.RLock()
        """A thread that needs both locks takes the machine's first: the machine may wait for a chain node."""
        self._lock = threading.RLock()
        self.evidence, self.branches = EvidenceBox(self._file), Branches(self._file, cosigner.name)
        self._tree = GrowingTree()
        self._load()

    @property
    def size(self) -> int:
        """Entries that are here: also the number of the next one."""
        return self._tree.size

    @property
    def signed(self) -> int:
        """Entries under the mirror's head, 0 without one; at least those that were signed before the left branch."""
        head = self.head()
        return max(head.checkpoint.size if head else 0, self.branches.floor)

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
        bodies = [row[0] for row in self._file.rows(query, start, end)]
        if len(bodies) != end - start:
            raise NotHeld(f"this copy has {self.size} entries")
        return bodies

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of entries that are here."""
        hashes = self.stored.fetch([node_number(0, index) for index in range(start, end)])
        return list(hashes.values())

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

    def pending(self) -> SignedHead | None:
        """The newest head that the operator signed."""
        rows = self._file.rows("SELECT note FROM pending ORDER BY size DESC LIMIT 1")
        return _head(rows[0][0]) if rows else None

    def pending_at(self, size: int) -> SignedHead | None:
        """A pending head of exactly this size."""
        rows = self._file.rows("SELECT note FROM pending WHERE size = ?", size)
        return _head(rows[0][0]) if rows else None

    def head(self) -> SignedHead | None:
        """The mirror's head, with the operator's signature and this verifier's cosignature."""
        rows = self._file.rows("SELECT note FROM head")
        return _head(rows[0][0]) if rows else None

    def verified(self, note: SignedNote) -> SignedHead:
        """A head of this log under the operator's signature. Raises UnknownLog and CheckpointRefused."""
        checkpoint = parse_checkpoint(note.text)
        if checkpoint.origin != self.log.name:
            raise UnknownLog("this mirror copies another log")
        try:
            verify_checkpoint(note, self.log)
        except CommonweightError as error:
            raise CheckpointRefused(f"not signed by the log: {error.detail}") from None
        if len(note.text.encode()) > LONGEST_HEAD:
            raise CheckpointRefused(f"the text of a head has at most {LONGEST_HEAD} bytes")
        return SignedHead(SignedNote(note.text, _lines_of(note, self.log)), checkpoint)

    @contextmanager
    def turn(self, shrinks: bool = False) -> Iterator[None]:
        """Reads and writes inside are one step for all other threads. Entries are given up (`shrinks`) only while the
        machine reads none."""
        with self._machine if shrinks else nullcontext(), self._lock:
            yield

    def check_head(self, head: SignedHead) -> None:
        """Compare a verified head with the known ones. Raises HeadContradicts, and keeps both heads; and EntryRefused
        for a head that was refused."""
        self.evidence.departures.check_head(head.checkpoint)
        with self._lock:
            size = head.checkpoint.size
            signed = self.signed
            pending = self.pending_at(head.checkpoint.size)
            if size <= signed:
                root = self.root(size)
            elif pending is not None:
                root = pending.checkpoint.root
            else:
                return
            if root != head.checkpoint.root:
                self._convict(head, root)
                raise HeadContradicts(f"the operator signed two logs: at {size} entries this copy has another root")

    def state(self) -> CopyState:
        """The state now. Of remembered heads there is one a size, by size: the mirror's own, and pending ones."""
        with self._lock:
            rows = self._file.rows("SELECT note FROM pending") + self._file.rows("SELECT note FROM head")
            heads = {head.checkpoint.size: head for head in (_head(row[0]) for row in rows)}
            return CopyState(self.size, self.signed, tuple(heads[size] for size in sorted(heads)))

    def add_pending(self, head: SignedHead, without: Sequence[int] = ()) -> None:
        """Remember a head that was proven to be consistent with the newest one, or in the place of some that led to
        nothing: `without` are their sizes."""
        with self._lock, self._file.write() as tables:
            tables.executemany("DELETE FROM pending WHERE size = ?", [(size,) for size in without])
            tables.execute("INSERT OR IGNORE INTO pending VALUES (?, ?)", (head.checkpoint.size, head.note.format()))
            tables.execute(_FORGET_OLD, (PENDING,))

    def retreat(self) -> None:
        """Give entries up that are beyond the mirror's head: they lie under a head whose rest no mirror shows."""
        with self.turn(shrinks=True):
            self._cut(self.signed)

    def leave(self, common: int) -> None:
        """Give all up but the first `common` entries: signed entries beyond them are of a branch that is left for good,
        and its heads stay as evidence. Raises what `advance` raises."""
        with self.turn(shrinks=True):
            head = self.head()
            left = LeftBranch(common + 1, self.root(common + 1), head.note.format() if head else b"")
            self._cut(common, common, left)
            self.advance()

    def keep(self, start: int, entries: Sequence[bytes]) -> None:
        """Keep entries from `start` on that were proven to lie under a pending head; known ones are passed over. Raises
        CopyChanged where those before them were given up meanwhile."""
        with self._lock:
            new = list(enumerate(entries, start))[max(0, self.size - start) :]
            if not new:
                return
            if new[0][0] != self.size:
                raise CopyChanged(f"the entries before entry {new[0][0]} are not here any more")
            with self._file.write() as tables:
                tables.executemany("INSERT INTO entry VALUES (?, ?)", new)
            self._tree.append(SHA256_TREE.leaf_hash(entry) for _, entry in new)

    def advance(self) -> None:
        """Show all entries that are here to the machine.

        Raises EntryRefused and HeadContradicts, after the entries in question were dropped, and the machine's errors.
        """
        self._show(self._advance, self.size)

    def sign(self, pending: SignedHead) -> tuple[NoteSignature, ...]:
        """Make a pending head, all of whose entries are here, the mirror's head; a larger one stays.

        Returns the cosignature. Raises what `advance` raises, HeadContradicts, and CopyChanged.
        """
        size = pending.checkpoint.size
        self._show(self._admit, size)
        with self._lock:
            if self.size < size:
                raise CopyChanged(f"this copy has fewer than {size} entries by now")
            if self.root(size) != pending.checkpoint.root:
                raise HeadContradicts(f"the entries up to {size} are of another log than this head")
            line = cosign(pending.note.text, self._cosigner.name, self._cosigner.key, self._cosigner.now())
            head = self.head()
            if head is None or head.checkpoint.size < size:
                with self._file.write() as tables:
                    tables.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (pending.note.adding(line).format(),))
        return (line,)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _show(self, machine: Callable[[int], None], size: int) -> None:
        with self._machine:
            self._check_not_left()
            try:
                machine(size)
            except Differs as error:
                raise self._refuse(error) from error

    def _refuse(self, error: Differs) -> CommonweightError:
        """Drop an entry that the machine does not take, with all behind it and all heads above; signed entries stay.

        Returns the error that is to be raised.
        """
        index = error.index
        with self._lock:
            if not self.signed <= index < self.size:
                return error
            for above in [head for head in self.state().known if head.checkpoint.size > index][:1]:
                departure = Departure(above.note.format(), index, error.detail)
                self.evidence.departures.add(departure, above.checkpoint, self.root(index + 1))
            self._cut(index, index)
            return EntryRefused(index, error.detail)

    def _check_not_left(self) -> None:
        """Raises HeadContradicts for entries of a left branch that came again."""
        with self._lock:
            if self.branches.is_left(self.size, self.root):
                self._cut(self.signed, self.signed)
                raise HeadContradicts("these entries are of the branch of the operator's log that was left")

    def _cut(self, size: int, heads: int = MAX_SIZE, left: LeftBranch | None = None) -> None:
        """Keep the first `size` entries, and pending heads of at most `heads`; with a branch that is left, no head."""
        tree = GrowingTree()
        tree.append(self.leaves(0, size))
        with self._file.write() as tables:
            tables.execute("DELETE FROM entry WHERE place >= ?", (size,))
            tables.execute("DELETE FROM pending WHERE size > ?", (heads,))
            if left is not None:
                tables.execute("DELETE FROM head")
                tables.execute(branches.LEAVE, (left.size, left.root, left.note))
        self._tree = tree
        if left is not None:
            self.branches.left_behind(left)

    def _convict(self, head: SignedHead, root: bytes) -> None:
        """Keep evidence: this copy has `root` at the size of a head with another root."""
        size = head.checkpoint.size
        most = max(size, self.size)
        other = next(
            (remembered for remembered in self.state().known if size <= remembered.checkpoint.size <= most), None
        )
        if other is not None:
            proof = self._consistency(size, other.checkpoint.size)
            self.evidence.add(Evidence(head.note.format(), other.note.format(), root, proof))

    def _consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        return tuple(self.stored.consistency_proof(first, second)) if 0 < first < second else ()

    def _load(self) -> None:
        """Raises StoreUnusable where the entries on the disk are not those under the signed head."""
        while rows := self._file.rows(_NEXT_ENTRIES, self.size, LOADED):
            indexes = [index for index, _ in rows]
            if indexes != list(range(self.size, self.size + len(rows))) or not all(type(b) is bytes for _, b in rows):
                raise StoreUnusable("entries are missing from the copy of the log; remove it, and it is fetched again")
            self._tree.append(SHA256_TREE.leaf_hash(body) for _, body in rows)
        head = self.head()
        size = head.checkpoint.size if head else 0
        if self.signed > self.size or (head is not None and self.root(size) != head.checkpoint.root):
            raise StoreUnusable("the copy of the log is spoilt; remove it, and it is fetched again")


def _head(data: bytes) -> SignedHead:
    note = parse_note(data)
    return SignedHead(note, parse_checkpoint(note.text))


def _lines_of(note: SignedNote, log: VerifierKey) -> tuple[NoteSignature, ...]:
    """One signature line of the operator's: further ones add nothing, and those of others may be anything."""
    return tuple(line for line in note.signatures if (line.name, line.key_id) == (log.name, log.key_id))[:1]
