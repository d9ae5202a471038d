"""Heads of the log that this operator gives out, and the largest of them in a file outside of the database.

Whoever restores a database from a copy, and not the disk, finds there what was signed in between (J20).
"""

from __future__ import annotations

from pathlib import Path

from sqlmodel import Session

from contracts.protocol.log.operator import LogSigner
from contracts.tlog.checkpoint import parse_checkpoint
from contracts.tlog.note import parse_note
from contracts.whole_file import replace_file
from ledger import log
from ledger.service import Ledger


def sign(ledger: Ledger, session: Session) -> bytes:
    """The head of now, signed by the operator; on the disk before anybody has it."""
    size = log.size(session)
    note = LogSigner.of(bytes(ledger.operator.key)).head(size, log.root(session, size)).format()
    known = last(ledger)
    if known is None or parse_checkpoint(parse_note(known).text).size < size:
        replace_file(_file(ledger), note)
    return note


def last(ledger: Ledger) -> bytes | None:
    """The largest head that was given out from this folder; None before the first."""
    try:
        return _file(ledger).read_bytes()
    except FileNotFoundError:
        return None


def _file(ledger: Ledger) -> Path:
    return ledger.blobs.beside("log") / "signed-head"
