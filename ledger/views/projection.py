"""Reads the log on from where the documents stand, and changes them entry by entry, some hundred in one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from contracts.protocol.log.leaf import Entry, read
from contracts.signing import Domain
from ledger import log
from ledger.service import Ledger
from ledger.tables import Cursor, LogEntry
from ledger.views.about_proofs import PROOFS
from ledger.views.about_rounds import ROUNDS
from ledger.views.documents import Documents

NAME = "views"
BATCH = 200
_HANDLERS = {**ROUNDS, **PROOFS}


@dataclass(frozen=True)
class Leaf:
    """An entry with its index, and the object that stands in the log."""

    index: int
    entry: Entry
    body: dict[str, Any]


def catch_up(ledger: Ledger) -> None:
    """Bring the documents to the log's end. Safe to repeat, and to do in several processes."""
    while _next_batch(ledger):
        pass


def _next_batch(ledger: Ledger) -> bool:
    with ledger.store.read() as session:
        start = _position(session.get(Cursor, NAME))
        rows = log.bodies(session, start, BATCH)
    if not rows:
        return False
    with ledger.store.write() as session:
        cursor = session.get(Cursor, NAME, with_for_update=True)
        if _position(cursor) == start:
            _apply(session, ledger.chain.domain, rows)
            session.add(_moved(cursor, start + len(rows)))
    return True


def _apply(session: Session, domain: Domain, rows: list[LogEntry]) -> None:
    documents = Documents(session)

    def author(proof: str) -> str:
        return str(documents.proof(proof)["node"])

    for row in rows:
        entry = read(row.body, domain, author, checked=False)
        handle = _HANDLERS.get(type(entry))
        if handle is not None:
            handle(documents, Leaf(row.index, entry, json.loads(row.body)))
    documents.save()


def _position(cursor: Cursor | None) -> int:
    """Entries that the documents hold."""
    return cursor.block if cursor is not None else 0


def _moved(cursor: Cursor | None, size: int) -> Cursor:
    found = cursor or Cursor(name=NAME, block=0, hash="")
    found.block = size
    return found
