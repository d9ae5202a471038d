"""The entries of the log that prove a run's maintainers at a contribution.

They are the newest configuration before it, of the run's terms or of a round that opened, and every decision on
`maintainers` that the run took between, with the block that brought it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlmodel import Session, col, select

from contracts.ids import RunId
from ledger.books import log
from ledger.storage.tables import LogEntry, RoundView, TakenView
from ledger.storage.tables.columns import Document

AT_ONCE = 64
"""Entries that are read at one time on the way back to a decision's block."""
KEY = "maintainers"


def maintainers_before(session: Session, run: RunId, credit: int) -> Iterator[int]:
    """Indices of the entries that prove the maintainers before the entry of a contribution."""
    base = _configuration_before(session, run, credit)
    yield base
    entry = col(TakenView.entry)
    taken = select(TakenView).where(TakenView.run == run, entry > base, entry < credit).order_by(entry)
    for line in [row.body for row in session.exec(taken)]:
        if not line["applied"]:
            continue
        block, key = _block_of(session, int(line["sequence"]), int(line["entry"]))
        if key == KEY:
            yield block
            yield int(line["entry"])


def _configuration_before(session: Session, run: RunId, credit: int) -> int:
    """The entry of the newest round that had opened, else of the run's terms, whose digest is the run's id."""
    entry = col(RoundView.entry)
    newest = select(entry).where(RoundView.run == run, entry < credit).order_by(entry.desc()).limit(1)
    opened = session.exec(newest).first()
    return int(log.about(session, [run])[0].index) if opened is None else int(opened)


def _block_of(session: Session, sequence: int, before: int) -> tuple[int, str]:
    """The newest block before an entry that brought the decision of that number, and the decision's key."""
    for end in range(before, 0, -AT_ONCE):
        page = select(LogEntry).where(col(LogEntry.index) >= max(0, end - AT_ONCE), col(LogEntry.index) < end)
        for entry in session.exec(page.order_by(col(LogEntry.index).desc())):
            key = _decided(json.loads(entry.body), sequence)
            if key is not None:
                return entry.index, key
    raise ValueError(f"the log has no block with decision {sequence} before entry {before}")


def _decided(body: Document, sequence: int) -> str | None:
    """The key of the decision of that number, if an entry brought it."""
    events = body.get("events", ()) if body["kind"] == "block" else ()
    return next((str(e["key"]) for e in events if e["event"] == "decided" and int(e["sequence"]) == sequence), None)
