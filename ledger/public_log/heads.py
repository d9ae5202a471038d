"""Heads of the log that this operator gives out, and the largest of them in a file outside of the database.

A restored database lacks the heads that were signed since its copy: this file has the largest of them (J20).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from sqlmodel import Session

from contracts.files.whole_file import replace_file
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.checkpoint import parse_checkpoint
from contracts.tlog.note import parse_note
from ledger.books import log
from ledger.context import Ledger


def sign(ledger: Ledger, session: Session) -> bytes:
    """The head of now, signed by the operator, and written to the disk before it is given out."""
    size = log.size(session)
    note = LogSigner.of(bytes(ledger.operator.key)).head(size, log.root(session, size)).format()
    with _turn(ledger):
        largest = last(ledger)
        if largest is None or parse_checkpoint(parse_note(largest).text).size < size:
            replace_file(_file(ledger), note)
    return note


def last(ledger: Ledger) -> bytes | None:
    """The largest head that was given out from this folder; None before the first."""
    try:
        return _file(ledger).read_bytes()
    except FileNotFoundError:
        return None


def set_aside(ledger: Ledger) -> None:
    """Put the largest head aside: it is no longer required, and its file is kept under another name."""
    with _turn(ledger):
        _file(ledger).replace(_file(ledger).with_name("signed-head.lost"))


@contextmanager
def _turn(ledger: Ledger) -> Iterator[None]:
    """One writer of all threads and processes: a slow request must not put a smaller head in a larger one's place."""
    with _file(ledger).with_suffix(".lock").open("ab") as file:
        flock(file, LOCK_EX)
        yield


def _file(ledger: Ledger) -> Path:
    return ledger.blobs.beside("log") / "signed-head"
