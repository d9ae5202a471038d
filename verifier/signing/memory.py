"""A verifier's words, on the disk before they are sent: no restart and no second process contradicts them (J10).

`once` keeps the text of a message under its name, so that the same one is sent again. `word` lets one class of word on
a segment through, and one that replaces `unserved`, for each log: a word on one fork counts on no other.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from contracts.ids import ProofId
from contracts.protocol.judge.facts import Word
from verifier.mirror.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS said (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS word (
    proof TEXT, root BLOB, segment INTEGER, word TEXT NOT NULL, PRIMARY KEY (proof, root, segment)
);
CREATE TABLE IF NOT EXISTS bound (name TEXT PRIMARY KEY, seconds REAL NOT NULL);
"""
_FORGET_SAID = """
DELETE FROM said WHERE substr(name, 1, 6) = 'proof/'
AND substr(name, 7, 66) NOT IN (SELECT value FROM json_each(?))
"""


class Memory:
    """One verifier's file. Raises DiskFull and StoreUnusable."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA)

    def once(self, name: str, text: str) -> str:
        """Keep a text under a name; returns the stored text, which is an earlier one if there was one."""
        with self._file.write() as tables:
            tables.execute("INSERT OR IGNORE INTO said VALUES (?, ?)", (name, text))
            return str(tables.execute("SELECT text FROM said WHERE name = ?", (name,)).fetchone()[0])

    def said(self, name: str) -> str | None:
        """The text that is stored under a name."""
        rows = self._file.rows("SELECT text FROM said WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def word(self, proof: ProofId, root: bytes, segment: int, word: Word) -> bool:
        """Whether this word may be said on the log of this root, and from then on; written down before the answer."""
        key = (proof, root, segment)
        with self._file.write() as tables:
            tables.execute("INSERT OR IGNORE INTO word VALUES (?, ?, ?, ?)", (*key, word))
            query = "SELECT word FROM word WHERE proof = ? AND root = ? AND segment = ?"
            (stored,) = tables.execute(query, key).fetchone()
            if stored not in (word, Word.UNSERVED):
                return False
            change = "UPDATE word SET word = ? WHERE proof = ? AND root = ? AND segment = ?"
            tables.execute(change, (word, *key))
            return True

    def spoken(self, proof: ProofId, root: bytes, segment: int) -> Word | None:
        """The word that was said last."""
        query = "SELECT word FROM word WHERE proof = ? AND root = ? AND segment = ?"
        rows = self._file.rows(query, proof, root, segment)
        return Word(rows[0][0]) if rows else None

    def bound(self, name: str, seconds: float) -> float:
        """Keep a bound under a name; the first one stands."""
        with self._file.write() as tables:
            tables.execute("INSERT OR IGNORE INTO bound VALUES (?, ?)", (name, seconds))
            return float(tables.execute("SELECT seconds FROM bound WHERE name = ?", (name,)).fetchone()[0])

    def keep(self, proofs: Collection[str], rounds: Collection[str]) -> None:
        """Forget words and texts on other proofs than these, and bounds of other rounds (`RUN/NUMBER`)."""
        with self._file.write() as tables:
            tables.execute("DELETE FROM word WHERE proof NOT IN (SELECT value FROM json_each(?))", (_list(proofs),))
            tables.execute(_FORGET_SAID, (_list(proofs),))
            names = [name for (name,) in tables.execute("SELECT name FROM bound")]
            rows = [(name,) for name in names if "/".join(name.split("/")[:2]) not in rounds]
            tables.executemany("DELETE FROM bound WHERE name = ?", rows)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _list(names: Collection[str]) -> str:
    return json.dumps(sorted(names))
