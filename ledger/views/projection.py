"""Reads the log on from the documents' position, and changes them entry by entry, some hundred in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from contracts.ids import Address, ProofId, as_address
from contracts.messages.signatures import Domain
from contracts.protocol.log.leaf import Entry, read
from ledger.books import log
from ledger.context import Ledger
from ledger.storage.tables import Cursor, LogEntry
from ledger.storage.tables.columns import Document
from ledger.views.documents import Documents
from ledger.views.proofs import PROOFS
from ledger.views.rounds import ROUNDS

NAME = "views"
BATCH = 200
_HANDLERS = {**ROUNDS, **PROOFS}


@dataclass(frozen=True)
class Leaf:
    """An entry with its index, and its JSON object in the log."""

    index: int
    entry: Entry
    body: Document


def catch_up(ledger: Ledger) -> None:
    """Bring the documents to the log's end. Safe to repeat, and to do in several processes."""
    while _next_batch(ledger):
        pass


def _next_batch(ledger: Ledger) -> bool:
    with ledger.store.read() as session:
        start = position(session)
        rows = log.bodies(session, start, BATCH)
    if not rows:
        return False
    with ledger.store.write() as session:
        cursor = session.get(Cursor, NAME, with_for_update=True)
        if _position(cursor) == start:
            documents = Documents(session)
            project(documents, ledger.chain.domain, rows)
            documents.save()
            session.add(_moved(cursor, start + len(rows)))
    return True


def project(documents: Documents, domain: Domain, rows: Sequence[LogEntry]) -> None:
    """Change the documents by these entries, in their order."""

    def author(proof: ProofId) -> Address:
        return as_address(documents.proof(proof)["node"])

    for row in rows:
        entry = read(row.body, domain, author, checked=False)
        handle = _HANDLERS.get(type(entry))
        if handle is not None:
            handle(documents, Leaf(row.index, entry, json.loads(row.body)))


def position(session: Session) -> int:
    """Entries that the documents hold."""
    return _position(session.get(Cursor, NAME))


def _position(cursor: Cursor | None) -> int:
    return cursor.block if cursor is not None else 0


def _moved(cursor: Cursor | None, size: int) -> Cursor:
    row = cursor or Cursor(name=NAME, block=0, hash="")
    row.block = size
    return row
