"""Heads under the operator's signature whose log this verifier's machine does not take: kept, shown, and known when
they come again.

No such head was cosigned, so it ends nothing: its entries are dropped, and another head is followed. Departures on the
disk are for people and for other mirrors; heads that are refused unseen are remembered by one process alone, so that a
verifier whose chain node or software was mended tries once more after a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from contracts.tlog.checkpoint import Checkpoint, open_checkpoint
from contracts.tlog.keys import VerifierKey
from verifier.mirror.errors import MirrorRefused
from verifier.mirror.store.database import Database

MOST = 16
"""Departures that are kept: the newest. A process knows so many of them again, each at the price of a root a look."""
REMEMBERED = 256
"""Heads that a process knows again."""
LONGEST = 500
"""Characters of a reason."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS departure (head BLOB PRIMARY KEY, place INTEGER NOT NULL, reason TEXT NOT NULL);
"""
_FORGET_OLD = "DELETE FROM departure WHERE rowid NOT IN (SELECT rowid FROM departure ORDER BY rowid DESC LIMIT ?)"

RootOf = Callable[[int], bytes]
"""A log's root over its first entries."""


class EntryRefused(MirrorRefused):
    """Entry `index` under a head that the operator signed is not what follows from those before it."""

    code = "entry-refused"
    status = 422

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(detail)
        self.index = index


@dataclass(frozen=True)
class Departure:
    """A signed head, the entry at which its log departs from the rules or from the chain, and how. The entries before
    it are needed to check a departure; without them it is one verifier's word."""

    head: bytes
    index: int
    reason: str

    def check(self, log: VerifierKey) -> None:
        """Raises EntryRefused for an entry that does not lie under the head, and what open_checkpoint raises."""
        if not 0 <= self.index < open_checkpoint(self.head, log).size:
            raise EntryRefused(self.index, "the head has no such entry")

    def body(self) -> dict[str, object]:
        """The departure as it is shown."""
        return {"head": self.head.decode(), "index": self.index, "reason": self.reason}


class Departures:
    """The departures in a mirror's database, and in memory the heads that are refused unseen."""

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, threading.Lock()
        self._heads: dict[tuple[int, bytes], EntryRefused] = {}
        self._places: dict[tuple[int, bytes], EntryRefused] = {}

    def add(self, departure: Departure, head: Checkpoint, root: bytes) -> None:
        """Keep a departure; `root` is the root of the log up to and with the entry."""
        refused = EntryRefused(departure.index, departure.reason)
        with self._lock:
            _remember(self._places, (departure.index + 1, root), refused, MOST)
        self._know(head, refused)
        with self._database.write() as tables:
            row = (departure.head, departure.index, departure.reason[:LONGEST])
            tables.execute("INSERT OR IGNORE INTO departure VALUES (?, ?, ?)", row)
            tables.execute(_FORGET_OLD, (MOST,))

    def check_head(self, head: Checkpoint) -> None:
        """Raises EntryRefused for a head that was refused before."""
        with self._lock:
            refused = self._heads.get((head.size, head.root))
        if refused is not None:
            raise EntryRefused(refused.index, refused.detail)

    def check(self, head: Checkpoint, root_of: RootOf) -> None:
        """Raises EntryRefused where the head's log, whose roots are given, departs where another one did."""
        with self._lock:
            places = list(self._places.items())
        for (size, root), refused in places:
            if size <= head.size and root_of(size) == root:
                self._know(head, refused)
                raise EntryRefused(refused.index, refused.detail)

    def all(self) -> tuple[Departure, ...]:
        """All departures, in the order in which they were found."""
        rows = self._database.rows("SELECT head, place, reason FROM departure ORDER BY rowid")
        return tuple(Departure(*row) for row in rows)

    def _know(self, head: Checkpoint, refused: EntryRefused) -> None:
        with self._lock:
            _remember(self._heads, (head.size, head.root), refused, REMEMBERED)


def _remember(
    refusals: dict[tuple[int, bytes], EntryRefused], name: tuple[int, bytes], refused: EntryRefused, most: int
) -> None:
    refusals[name] = refused
    if len(refusals) > most:
        del refusals[next(iter(refusals))]
