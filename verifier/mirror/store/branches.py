"""Two logs under one operator's signature, seen by a verifier that signed a head of one: the verifiers whose heads lie
on the other, and the branches that it left (docs/adr/0031-an-entry-shown-to-one-verifier-stops-nobody.md).

A verifier goes over to the other branch where k others stand on it, and never back: a left branch is refused for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from contracts.errors import CommonweightError
from contracts.tlog.checkpoint import Checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.note import SignedNote
from verifier.mirror.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS branch (size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL);
"""
LEAVE = "INSERT INTO branch VALUES (?, ?, ?)"

RootOf = Callable[[int], bytes]
"""A log's root over its first entries."""


@dataclass(frozen=True)
class CosignerKeys:
    """k (0: not known), and the keys of the verifiers' cosignatures by verifier, the own one included."""

    k: int = 0
    keys: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftBranch:
    """A branch that this verifier left: its first entry that the other branch lacks makes `size` entries with this
    root. `note` is the last head that was signed there."""

    size: int
    root: bytes
    note: bytes


class Branches:
    """The branches that one verifier (`own`) left, in its mirror's database; and in memory others' heads elsewhere."""

    def __init__(self, database: Database, own: str) -> None:
        self._database, self._own, self._lock = database, own, threading.Lock()
        self._elsewhere: dict[str, Checkpoint] = {}
        self._left = tuple(
            LeftBranch(*row) for row in database.rows("SELECT size, root, note FROM branch ORDER BY rowid")
        )

    @property
    def left(self) -> tuple[LeftBranch, ...]:
        """The left branches, in the order in which they were left."""
        return self._left

    @property
    def floor(self) -> int:
        """Entries that were signed before the last branch began: they stay, whichever branch is followed."""
        return self._left[-1].size - 1 if self._left else 0

    def is_left(self, size: int, root_of: RootOf) -> bool:
        """Whether a log of `size` entries, whose roots are given, goes on along a left branch."""
        return any(left.size <= size and root_of(left.size) == left.root for left in self._left)

    def signers(self, note: SignedNote, cosigners: CosignerKeys) -> frozenset[str]:
        """The other verifiers that cosigned a head."""
        names = {line.name for line in note.signatures} & cosigners.keys.keys() - {self._own}
        return frozenset(name for name in names if _is_signed(note, name, cosigners.keys[name]))

    @property
    def watched(self) -> bool:
        """Whether another verifier's head lies on another branch."""
        return bool(self._elsewhere)

    def here(self, names: Collection[str]) -> None:
        """Note that these verifiers show heads of the own branch."""
        with self._lock:
            for name in names:
                self._elsewhere.pop(name, None)

    def elsewhere(self, names: Collection[str], head: Checkpoint, root_of: RootOf) -> frozenset[str]:
        """Note that these verifiers show a head of another branch, whose roots are given; returns all verifiers whose
        newest heads lie on that branch."""
        with self._lock:
            self._elsewhere |= dict.fromkeys(names, head)
            heads = dict(self._elsewhere)
        return frozenset(
            name for name, newest in heads.items() if newest.size <= head.size and root_of(newest.size) == newest.root
        )

    def left_behind(self, left: LeftBranch) -> None:
        """Note a branch that was left, when the disk has it."""
        with self._lock:
            self._left += (left,)
            self._elsewhere.clear()


def nobody() -> CosignerKeys:
    """The keys where the verifiers are not known."""
    return CosignerKeys()


def _is_signed(note: SignedNote, name: str, key: bytes) -> bool:
    try:
        verify_cosignature(note, VerifierKey(name, SignatureType.COSIGNATURE, key))
    except CommonweightError:
        return False
    return True
