"""Two heads under the operator's signature that cannot be of one log: they convict an operator of showing two (J2).
Beside them a mirror shows heads whose log its own machine does not take (verifier/mirror/store/departures.py).

A consistency proof leads from the larger head to the root of its first entries; the smaller head has another root.
Where both have one size the proof is empty. The log's key alone is needed to check the evidence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.checkpoint import open_checkpoint
from contracts.tlog.keys import VerifierKey
from contracts.tlog.note import parse_note
from contracts.tlog.text import to_base64
from verifier.mirror.errors import MirrorRefused
from verifier.mirror.store.database import Database
from verifier.mirror.store.departures import Departure, Departures

MOST = 16
"""Pairs that are kept: one is enough, and an operator that signs two heads can sign thousands."""
LARGEST = 2**14
"""Bytes of both notes of a pair: a list of all of them has to fit into the answer that others take."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS evidence (
    pair TEXT PRIMARY KEY, smaller BLOB, larger BLOB, prefix BLOB, proof TEXT
);
"""


class NoEvidence(MirrorRefused):
    """Two heads that may be of one log."""

    code = "no-evidence"
    status = 422


@dataclass(frozen=True)
class Evidence:
    """Two signed heads; `prefix` is the root that the larger one's log has at the smaller one's size."""

    smaller: bytes
    larger: bytes
    prefix: bytes
    proof: tuple[bytes, ...] = ()

    def check(self, log: VerifierKey) -> None:
        """Raises NoEvidence unless the pair convicts, and what open_checkpoint and check_consistency raise."""
        small = open_checkpoint(self.smaller, log)
        large = open_checkpoint(self.larger, log)
        SHA256_TREE.check_consistency(small.size, large.size, self.prefix, large.root, self.proof)
        if small.root == self.prefix:
            raise NoEvidence("both heads may be of one log")

    def body(self) -> dict[str, object]:
        """The evidence as it is shown: notes as text, hashes as base64."""
        return {
            "smaller": self.smaller.decode(),
            "larger": self.larger.decode(),
            "prefix": to_base64(self.prefix),
            "proof": [to_base64(part) for part in self.proof],
        }


class EvidenceBox:
    """The pairs that were found, in a mirror's database, and its departures."""

    def __init__(self, database: Database) -> None:
        self._database, self.departures = database, Departures(database)

    def add(self, evidence: Evidence) -> None:
        """Keep a pair, up to MOST of them, none larger than LARGEST."""
        if len(evidence.smaller) + len(evidence.larger) > LARGEST:
            return
        proof = json.dumps([part.hex() for part in evidence.proof])
        with self._database.write() as tables:
            if tables.execute("SELECT count(*) FROM evidence").fetchone()[0] < MOST:
                row = (_pair(evidence), evidence.smaller, evidence.larger, evidence.prefix, proof)
                tables.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?)", row)

    def all(self) -> tuple[Evidence | Departure, ...]:
        """Pairs, which convict by themselves, then departures; each in the order in which it was found."""
        return (*self.pairs(), *self.departures.all())

    def pairs(self) -> tuple[Evidence, ...]:
        """The pairs, in the order in which they were found."""
        rows = self._database.rows("SELECT smaller, larger, prefix, proof FROM evidence ORDER BY rowid")
        return tuple(
            Evidence(a, b, prefix, tuple(map(bytes.fromhex, json.loads(proof)))) for a, b, prefix, proof in rows
        )


def _pair(evidence: Evidence) -> str:
    """One name for two heads, whichever comes first and whichever other signatures they have."""
    texts = sorted(parse_note(note).text for note in (evidence.smaller, evidence.larger))
    return hashlib.sha256("".join(texts).encode()).hexdigest()
