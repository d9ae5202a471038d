"""This process's machine, at the end of the log that the database holds.

A writer catches up with what other processes entered, applies a fact, and appends it with all that is due after it, in
the transaction that it was given. The database is the truth: a transaction that does not commit leaves a machine that
knows too much, so the next writer goes back to the last kept state and reads on from there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from sqlalchemy import event
from sqlmodel import Session, col, select

from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry, read, write
from contracts.protocol.log.signed import Envelope
from contracts.signing import Domain, digest
from ledger import log
from ledger.judgement import bookkeeping
from ledger.tables import LogEntry

KEEP_EVERY = 2_000
"""Entries between two kept states: so many are read again at most after a transaction that failed."""
BATCH = 1_000


@dataclass
class Replica:
    """The machine of one process; writers take turns (ledger/store.py:Store.write)."""

    functions: Functions
    domain: Domain
    keep_every: int = KEEP_EVERY
    _follower: Follower = field(init=False)
    _kept: State = field(init=False)
    _uncommitted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._follower = Follower(self.functions, self.domain, checked=False)
        self._kept = State(self.functions)

    def enter(self, session: Session, entry: Rules | Block | Envelope) -> list[Derived]:
        """Enter a fact and all that follows; a message that stands in the log changes nothing.

        The session is that of a writer. Raises Refused, and what reading a leaf raises; then nothing is written.
        """
        state = self.at_end(session)
        text, subject = write(entry), self._subject(entry)
        if subject is not None and log.about(session, [subject]):
            return []
        fact = read(text, self.domain, self._follower.author)
        self._watch(session)
        return self._append(session, state, text, subject, fact)

    def at_end(self, session: Session) -> State:
        """The machine with all that the log holds."""
        if self._uncommitted:
            self._go_back()
        size = log.size(session)
        while self._follower.size < size:
            self._read_on(session)
        return self._follower.state

    def _append(self, session: Session, state: State, text: str, subject: str | None, fact: Entry) -> list[Derived]:
        apply(state, fact)  # type: ignore[arg-type]
        bookkeeping.book(session, state, fact)
        found = due(state)
        log.extend(session, [(text, subject), *((write(entry), proof_of(entry)) for entry in found)])
        for entry in found:
            bookkeeping.book(session, state, entry)
        return found

    def _subject(self, entry: Rules | Block | Envelope) -> str | None:
        """What a message is found by: its digest, which of a commitment is the proof's id."""
        return "0x" + digest(entry.message, self.domain).hex() if isinstance(entry, Envelope) else None

    def _watch(self, session: Session) -> None:
        """Until the session commits, what this machine knows is not in the log."""
        self._uncommitted = True
        event.listen(session, "after_commit", self._committed, once=True)

    def _committed(self, _: Session) -> None:
        self._uncommitted = False
        if self._follower.size - self._kept.size >= self.keep_every:
            self._kept = _copied(self._follower.state)

    def _go_back(self) -> None:
        self._follower = Follower(self.functions, self.domain, checked=False)
        self._follower.state = _copied(self._kept)
        self._uncommitted = False

    def _read_on(self, session: Session) -> None:
        start = self._follower.size
        rows = select(LogEntry.body).where(col(LogEntry.index) >= start).order_by(col(LogEntry.index)).limit(BATCH)
        for body in session.exec(rows):
            self._follower.take(body)


def proof_of(entry: Derived) -> str | None:
    """The proof that an entry is found by."""
    found = getattr(entry, "proof", None)
    return found if isinstance(found, str) else None


def _copied(state: State) -> State:
    """A copy that shares nothing that changes."""
    return copy.deepcopy(state, {id(state.functions): state.functions})
