"""Whether heads under the operator's signature can be of one log, and the evidence where they cannot (J2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.errors import CommonweightError
from contracts.mirrors.places import Place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import InvalidLeaf, parse
from contracts.tlog.checkpoint import Checkpoint, verify_checkpoint
from contracts.tlog.keys import VerifierKey
from contracts.tlog.note import SignedNote
from contracts.tlog.text import parse_hash
from verifier.mirror.store.evidence import MOST, Evidence


def contradiction(mine: LogReader, note: SignedNote, place: Place) -> Evidence | None:
    """Compare a head that `place` shows with the log that is read; returns evidence where both cannot be of one log.

    Raises what LogReader raises for a head that the operator did not sign, or tiles that are not this head's.
    """
    head = verify_checkpoint(note, mine.log)
    if head.size > mine.size:
        return _pair(mine.note, mine.head, LogReader(place, mine.log, note))
    return _pair(note, head, mine)


def shown_evidence(answer: bytes, log: VerifierKey) -> Iterator[Evidence]:
    """The evidence in a list of mirrors, as far as it convicts. Raises InvalidLeaf for another form."""
    body = parse(answer.decode(errors="replace")) if answer else {}
    entries = body.get("evidence", []) if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise InvalidLeaf("a list of mirrors has another form")
    for entry in entries[:MOST]:
        try:
            evidence = _read(entry)
            evidence.check(log)
        except CommonweightError:
            continue  # this evidence convicts nobody
        yield evidence


def _pair(small: SignedNote, head: Checkpoint, large: LogReader) -> Evidence | None:
    if not head.size:
        return None
    prefix = large.tree.root(head.size)
    if prefix == head.root:
        return None
    proof = large.tree.consistency_proof(head.size, large.size) if head.size < large.size else []
    return Evidence(small.format(), large.note.format(), prefix, tuple(proof))


def _read(body: Any) -> Evidence:
    """Raises InvalidLeaf."""
    if not isinstance(body, dict) or not all(isinstance(body.get(n), str) for n in ("smaller", "larger", "prefix")):
        raise InvalidLeaf("evidence is two notes, a root and a proof")
    proof = body.get("proof")
    if not isinstance(proof, list) or not all(isinstance(part, str) for part in proof):
        raise InvalidLeaf("a proof is a list of hashes")
    hashes = tuple(parse_hash(part, InvalidLeaf) for part in proof)
    return Evidence(body["smaller"].encode(), body["larger"].encode(), parse_hash(body["prefix"], InvalidLeaf), hashes)
