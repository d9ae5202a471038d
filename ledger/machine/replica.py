"""This process's machine, twice: at the end of the committed log, for readers, and at the end of the writer's.

A writer catches up with the entries of other processes, applies a fact, and appends it with all derived entries that
are due after it, in its caller's transaction. The database is the truth: a transaction that does not commit leaves a
machine that is ahead, so the next writer begins again from a copy of the committed one. A fact that the machine refuses
has changed nothing, and costs no copy.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, func, select

from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId, RunId, as_address, to_hex
from contracts.messages.for_log import Contribution, Invoice
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.errors import Refused, UnknownSubject
from contracts.protocol.judge.facts import Block, Fact, Rules
from contracts.protocol.judge.held import proof_of
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.roots import grow
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import DERIVED, read, write
from contracts.protocol.log.signed import Envelope, fact_of
from ledger.books import log
from ledger.crash_points import reach
from ledger.machine.effects import READING, Moment, cause
from ledger.machine.sharing import Sharing
from ledger.machine.snapshots import Snapshots
from ledger.machine.vouching import check_first, maintainers
from ledger.storage.tables import LogEntry

BATCH = 1_000
BETWEEN_FACTS = (CommonweightError, SQLAlchemyError)
"""Errors of a reading of the log before a fact was taken: the entry is refused, or cannot be read."""


@dataclass(frozen=True)
class PreparedFact:
    """A fact that may be entered: its leaf, and for a message the envelope and its digest (0x-hex), under which it is
    stored. All checks that need no writers' turn are done."""

    fact: Fact
    text: str
    name: str | None = None
    envelope: Envelope | None = None


@dataclass(frozen=True)
class Entered:
    """A fact's index in the log, and the number of derived entries that follow on it."""

    index: int
    derived: int


@dataclass(frozen=True)
class Written:
    """A fact in the log: its index, and its leaf with those of the derived entries that follow."""

    index: int
    fact: Fact
    texts: tuple[str, ...]


@dataclass
class Replica:
    """The machine of one process; writers take turns (ledger/storage/store.py:Store.write), readers never wait for
    them."""

    functions: Protocol
    domain: Domain
    snapshots: Snapshots | None = None
    _lock: threading.RLock = field(init=False, default_factory=lambda: threading.RLock())
    _committed: Sharing | None = field(init=False, default=None)
    _writing: Sharing | None = field(init=False, default=None)
    _open: Session | None = field(init=False, default=None)
    _spoilt: bool = field(init=False, default=False)
    _applied: list[Written] = field(init=False, default_factory=list)
    _handing: threading.Lock = field(init=False, default_factory=threading.Lock)
    """Lock of `_fresh` alone: a writer adds to it while a reader holds the machine."""
    _fresh: list[Written] = field(init=False, default_factory=list)
    """Facts that this process committed and its committed machine has not taken yet: not read from the database."""

    def enter(self, session: Session, entry: Rules | Block | Envelope | PreparedFact) -> Entered:
        """Enter a fact and all that follows; a message that is in the log changes nothing.

        The session is that of a writer. Raises Refused, and what preparing raises; then nothing is written.
        """
        self.at_end(session)
        (result,) = self.enter_many(session, [self._prepared(entry)])
        if isinstance(result, Refused):
            raise result
        return result

    def enter_many(self, session: Session, facts: Sequence[PreparedFact]) -> list[Entered | Refused]:
        """Enter facts in their order, in as few statements as one takes; a refused fact does not hurt the others.

        Raises any other error: then the transaction is of no use.
        """
        state = self.at_end(session)
        existing = self._entered(session, [fact.name for fact in facts if fact.name is not None])
        leaves = log.Extension(session, state.size)
        results = list[Entered | Refused]()
        for fact in facts:
            entered = existing.get(fact.name) if fact.name is not None else None
            results.append(entered or self._taken(session, state, fact, leaves))
            if fact.name is not None and isinstance(results[-1], Entered):
                existing[fact.name] = results[-1]
        leaves.write()
        session.flush()
        return results

    def prepare_at_hand(self, envelope: Envelope, text: str) -> PreparedFact | None:
        """As `prepare`, by the entries that this process has read; None where the database has to be asked.

        The author of a proof never changes, and most messages name theirs.
        """
        if isinstance(envelope.message, Contribution | Invoice):
            return None
        try:
            fact = fact_of(envelope, self.domain, self._author_at_hand)
        except CommonweightError:
            return None
        return PreparedFact(fact, text, self.name_of(envelope), envelope)

    def prepare(self, session: Session, envelope: Envelope, text: str) -> PreparedFact:
        """A message whose signature and shape hold. For readers too.

        Raises BadSignature, BadField, InvalidLeaf, InvalidTree, and Refused for a message about nothing.
        """

        def author(proof: ProofId) -> Address:
            with self.view(session) as state:
                return proof_of(state, proof).commitment.node

        message = envelope.message
        if isinstance(message, Contribution | Invoice):
            with self.view(session) as state:
                members = maintainers(state, RunId(to_hex(message.run)))
            check_first(envelope, self.domain, members)
        fact = fact_of(envelope, self.domain, author)
        return PreparedFact(fact, text, self.name_of(envelope), envelope)

    def name_of(self, envelope: Envelope) -> str:
        """A message's digest, under which it is stored; that of a commitment is the proof's id."""
        return to_hex(digest(envelope.message, self.domain))

    @property
    def is_behind(self) -> bool:
        """Whether readers are so many entries behind the writer that a look is due, and perhaps a snapshot."""
        if self._writing is None:
            return False
        read_size = self._committed.size if self._committed is not None else 0
        return self._writing.size - read_size >= (BATCH if self.snapshots is None else min(BATCH, self.snapshots.every))

    def known(self, session: Session, name: str) -> Entered | None:
        """A message's index in the log; None where it is not there."""
        return self._entered(session, [name]).get(name)

    def _entered(self, session: Session, names: Sequence[str]) -> dict[str, Entered]:
        if not names:
            return {}
        query = select(LogEntry.subject, func.min(LogEntry.index)).where(col(LogEntry.subject).in_(names))
        rows = session.exec(query.group_by(col(LogEntry.subject)))
        return {str(name): Entered(index, _followers(session, index)) for name, index in list(rows)}

    @contextmanager
    def view(self, session: Session) -> Iterator[State]:
        """The machine at the end of the committed log, to be read within the block and never changed.

        The session is a reader's. It may be a little older than the machine, never newer.
        """
        with self._lock:
            follower = self._caught_up(session)
            if self.snapshots is not None:
                self.snapshots.keep(session, follower.state)
            yield follower.state

    def copy(self, session: Session) -> State:
        """As `view`, a copy for the caller."""
        with self.view(session):
            return self._begun(session).copy()

    def at_end(self, session: Session) -> State:
        """The machine at the end of the log, for a writer's session."""
        if self._writing is None or self._spoilt or (self._open is not None and self._open is not session):
            self._go_back(session)
        assert self._writing is not None, "it was just made"
        try:
            _catch_up(session, self._writing)
        except BETWEEN_FACTS:
            raise
        except BaseException:
            self._spoilt = True
            raise
        return self._writing.state

    def _prepared(self, entry: Rules | Block | Envelope | PreparedFact) -> PreparedFact:
        if isinstance(entry, PreparedFact):
            return entry
        text = write(entry)
        if not isinstance(entry, Envelope):
            return PreparedFact(_fact(text, self.domain), text)
        name = self.name_of(entry)
        fact = read(text, self.domain, self._author_at_end)
        assert isinstance(fact, Fact), "a message is no derived entry"
        return PreparedFact(fact, text, name, entry)

    def _caught_up(self, session: Session) -> Follower:
        """The committed machine, caught up. A machine that broke off in the midst of a fact is not used again."""
        follower = self._begun(session)
        try:
            self._take_fresh(follower)
            _catch_up(session, follower)
        except BETWEEN_FACTS:
            raise
        except BaseException:
            self._committed = None
            raise
        return follower

    def _author_at_hand(self, proof: ProofId) -> Address:
        """Raises UnknownSubject."""
        with self._lock:
            if self._committed is None:
                raise UnknownSubject("nothing was read yet")
            self._take_fresh(self._committed)
            return self._committed.author(proof)

    def _author_at_end(self, proof: ProofId) -> Address:
        assert self._writing is not None, "a writer stands at the end"
        return self._writing.author(proof)

    def _taken(
        self, session: Session, state: State, prepared: PreparedFact, leaves: log.Extension
    ) -> Entered | Refused:
        try:
            self._apply(session, state, prepared.fact)
        except Refused as refused:
            return refused
        reach("judgement.applied")
        return self._append(session, state, prepared, leaves)

    def _append(self, session: Session, state: State, prepared: PreparedFact, leaves: log.Extension) -> Entered:
        derived = due(state)
        texts = [(prepared.text, prepared.name), *((write(entry), _proof_of(entry)) for entry in derived)]
        index = leaves.add(texts)
        for entry, (text, _) in zip((prepared.fact, *derived), texts, strict=True):
            grow(state, entry, text)
        assert index + len(texts) == state.size == state.leaves, "log and machine stand at the same place"
        self._applied.append(Written(index, prepared.fact, tuple(text for text, _ in texts)))
        if any(isinstance(entry, READING) for entry in derived):
            leaves.write()
        reach("judgement.logged")
        cause(Moment(session, self.functions, state, prepared.fact, index), derived, prepared.envelope, prepared.name)
        reach("judgement.booked")
        return Entered(index, len(derived))

    def _apply(self, session: Session, state: State, fact: Fact) -> None:
        """Apply a fact. A refused fact has changed nothing; after any other error this machine is not used again."""
        assert self._writing is not None, "a writer stands at the end"
        self._writing.own(fact)
        try:
            apply(state, fact)
        except Refused:
            raise
        except BaseException:
            self._spoilt = True
            raise
        if self._open is not session:
            self._open = session
            self._applied = []
            event.listen(session, "after_commit", self._after_commit, once=True)
            event.listen(session, "after_rollback", self._after_rollback, once=True)

    def _after_commit(self, session: Session) -> None:
        if self._open is session:
            with self._handing:
                self._fresh += self._applied
                if len(self._fresh) > BATCH:
                    self._fresh = []  # the next reader reads the database
            self._open = None
            self._applied = []

    def _take_fresh(self, follower: Follower) -> None:
        """Bring the committed machine on by the facts of `_fresh` that follow on its end."""
        with self._lock:
            with self._handing:
                fresh = self._fresh
                self._fresh = []
            for written in fresh:
                if written.index == follower.size:
                    follower.follow(written.fact, written.texts)

    def _after_rollback(self, session: Session) -> None:
        if self._open is session:
            self._open = None
            self._spoilt = True

    def _go_back(self, session: Session) -> None:
        """Go back to the committed machine, as far as readers have come."""
        follower = Sharing(self.functions, self.domain, checked=False)
        with self._lock:
            follower.begin(self._begun(session).copy())
        self._writing = follower
        self._open = None
        self._spoilt = False

    def _begun(self, session: Session) -> Sharing:
        """The follower of the committed log, from the newest snapshot on."""
        if self._committed is None:
            follower = Sharing(self.functions, self.domain, checked=False)
            snapshot = self.snapshots.newest(session, self.functions) if self.snapshots is not None else None
            follower.state = snapshot or follower.state
            self._committed = follower
        return self._committed


def _catch_up(session: Session, follower: Follower) -> None:
    """Read the log's entries beyond a follower. Raises Differs where an entry does not follow."""
    while follower.size < log.size(session):
        start = follower.size
        rows = select(LogEntry.body).where(col(LogEntry.index) >= start).order_by(col(LogEntry.index)).limit(BATCH)
        for body in session.exec(rows):
            follower.take(body)


def _followers(session: Session, index: int) -> int:
    """The number of derived entries directly after an entry."""
    count = 0
    start = index + 1
    while True:
        rows = select(LogEntry.body).where(col(LogEntry.index) >= start + count).order_by(col(LogEntry.index)).limit(16)
        bodies = session.exec(rows).all()
        for body in bodies:
            if json.loads(body)["kind"] not in DERIVED:
                return count
            count += 1
        if not bodies:
            return count


def _fact(text: str, domain: Domain) -> Fact:
    fact = read(text, domain, as_address)
    assert isinstance(fact, Fact), "what is entered is a fact"
    return fact


def _proof_of(entry: object) -> str | None:
    """The proof under which an entry is stored."""
    proof = getattr(entry, "proof", None)
    return proof if isinstance(proof, str) else None
