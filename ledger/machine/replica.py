"""This process's machine, twice: at the end of what is committed, for readers, and where the writer stands.

A writer catches up with what other processes entered, applies a fact, and appends it with all that is due after it, in
the transaction that it was given. The database is the truth: a transaction that does not commit leaves a machine that
knows too much, so the next writer begins again from a copy of the committed one. A fact that the machine refuses has
changed nothing, and costs no copy.
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
from contracts.messages.for_log import Contribution
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
"""What ends a reading of the log before a fact was taken: it is refused, or not there."""


@dataclass(frozen=True)
class Prepared:
    """A fact that may be entered: its leaf, and for a message the envelope and its digest (0x-hex), by which it is
    found. All that can be checked without the writers' turn was."""

    fact: Fact
    text: str
    name: str | None = None
    envelope: Envelope | None = None


@dataclass(frozen=True)
class Entered:
    """Where a fact stands in the log, and how many derived entries follow on it."""

    index: int
    derived: int


@dataclass(frozen=True)
class Written:
    """A fact as it stands in the log: its index, and the leaves of it and of all that follows."""

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
    """Around `_fresh` alone: a writer hands on while a reader holds the machine."""
    _fresh: list[Written] = field(init=False, default_factory=list)
    """What this process committed and its committed machine has not taken yet: nobody reads it from the database."""

    def enter(self, session: Session, entry: Rules | Block | Envelope | Prepared) -> Entered:
        """Enter a fact and all that follows; a message that stands in the log changes nothing.

        The session is that of a writer. Raises Refused, and what preparing raises; then nothing is written.
        """
        self.at_end(session)
        (found,) = self.enter_many(session, [self._prepared(entry)])
        if isinstance(found, Refused):
            raise found
        return found

    def enter_many(self, session: Session, facts: Sequence[Prepared]) -> list[Entered | Refused]:
        """Enter facts in their order, in as few statements as one takes; what is refused hurts none beside it.

        Raises what else goes wrong: then the transaction is of no use.
        """
        state = self.at_end(session)
        known = self._known(session, [fact.name for fact in facts if fact.name is not None])
        leaves = log.Extension(session, state.size)
        found = list[Entered | Refused]()
        for fact in facts:
            entered = known.get(fact.name) if fact.name is not None else None
            found.append(entered or self._taken(session, state, fact, leaves))
            if fact.name is not None and isinstance(found[-1], Entered):
                known[fact.name] = found[-1]
        leaves.write()
        session.flush()
        return found

    def prepare_at_hand(self, envelope: Envelope, text: str) -> Prepared | None:
        """As `prepare`, by what this process has read so far; None where the database has to be asked.

        Who is the author of a proof never changes, and most messages name theirs.
        """
        if isinstance(envelope.message, Contribution):
            return None
        try:
            fact = fact_of(envelope, self.domain, self._author_at_hand)
        except CommonweightError:
            return None
        return Prepared(fact, text, self.name_of(envelope), envelope)

    def prepare(self, session: Session, envelope: Envelope, text: str) -> Prepared:
        """A message whose signature and shape hold. For readers too.

        Raises BadSignature, BadField, InvalidLeaf, InvalidTree, and Refused of what is about nothing.
        """

        def author(proof: ProofId) -> Address:
            with self.view(session) as state:
                return proof_of(state, proof).commitment.node

        if isinstance(envelope.message, Contribution):
            with self.view(session) as state:
                members = maintainers(state, RunId(to_hex(envelope.message.run)))
            check_first(envelope, self.domain, members)
        fact = fact_of(envelope, self.domain, author)
        return Prepared(fact, text, self.name_of(envelope), envelope)

    def name_of(self, envelope: Envelope) -> str:
        """What a message is found by: its digest, which of a commitment is the proof's id."""
        return to_hex(digest(envelope.message, self.domain))

    @property
    def is_behind(self) -> bool:
        """Whether so much was committed since anybody looked that somebody should: a snapshot may be due."""
        if self._writing is None:
            return False
        seen = self._committed.size if self._committed is not None else 0
        return self._writing.size - seen >= (BATCH if self.snapshots is None else min(BATCH, self.snapshots.every))

    def known(self, session: Session, name: str) -> Entered | None:
        """Where a message stands in the log; None where it does not."""
        return self._known(session, [name]).get(name)

    def _known(self, session: Session, names: Sequence[str]) -> dict[str, Entered]:
        if not names:
            return {}
        first = select(LogEntry.subject, func.min(LogEntry.index)).where(col(LogEntry.subject).in_(names))
        found = session.exec(first.group_by(col(LogEntry.subject)))
        return {str(name): Entered(index, _followers(session, index)) for name, index in list(found)}

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
        """As `view`, to be kept."""
        with self.view(session):
            return self._begun(session).copy()

    def at_end(self, session: Session) -> State:
        """The machine with all that the log holds, for a writer's session."""
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

    def _prepared(self, entry: Rules | Block | Envelope | Prepared) -> Prepared:
        if isinstance(entry, Prepared):
            return entry
        text = write(entry)
        if not isinstance(entry, Envelope):
            return Prepared(_fact(text, self.domain), text)
        name = self.name_of(entry)
        fact = read(text, self.domain, self._author_at_end)
        assert isinstance(fact, Fact), "a message is no derived entry"
        return Prepared(fact, text, name, entry)

    def _caught_up(self, session: Session) -> Follower:
        """The committed machine, brought on. One that broke off in the midst of a fact is not used again."""
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

    def _taken(self, session: Session, state: State, given: Prepared, leaves: log.Extension) -> Entered | Refused:
        try:
            self._apply(session, state, given.fact)
        except Refused as refused:
            return refused
        reach("judgement.applied")
        return self._append(session, state, given, leaves)

    def _append(self, session: Session, state: State, given: Prepared, leaves: log.Extension) -> Entered:
        found = due(state)
        texts = [(given.text, given.name), *((write(entry), _proof_of(entry)) for entry in found)]
        index = leaves.add(texts)
        for entry, (text, _) in zip((given.fact, *found), texts, strict=True):
            grow(state, entry, text)
        assert index + len(texts) == state.size == state.leaves, "log and machine stand at the same place"
        self._applied.append(Written(index, given.fact, tuple(text for text, _ in texts)))
        if any(isinstance(entry, READING) for entry in found):
            leaves.write()
        reach("judgement.logged")
        cause(Moment(session, self.functions, state, given.fact, index), found, given.envelope, given.name)
        reach("judgement.booked")
        return Entered(index, len(found))

    def _apply(self, session: Session, state: State, fact: Fact) -> None:
        """A fact that is refused has changed nothing; whatever else goes wrong, this machine is not used again."""
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
                    self._fresh = []  # who looks at last reads the database
            self._open = None
            self._applied = []

    def _take_fresh(self, follower: Follower) -> None:
        """Bring the committed machine on, by what is at hand and follows on where it stands."""
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
        """To what is committed, as far as readers have come."""
        follower = Sharing(self.functions, self.domain, checked=False)
        with self._lock:
            follower.begin(self._begun(session).copy())
        self._writing = follower
        self._open = None
        self._spoilt = False

    def _begun(self, session: Session) -> Sharing:
        """The follower of what is committed, from the newest snapshot on."""
        if self._committed is None:
            follower = Sharing(self.functions, self.domain, checked=False)
            found = self.snapshots.newest(session, self.functions) if self.snapshots is not None else None
            follower.state = found or follower.state
            self._committed = follower
        return self._committed


def _catch_up(session: Session, follower: Follower) -> None:
    """Read what the log holds beyond a follower. Raises Differs where it is not what follows."""
    while follower.size < log.size(session):
        start = follower.size
        rows = select(LogEntry.body).where(col(LogEntry.index) >= start).order_by(col(LogEntry.index)).limit(BATCH)
        for body in session.exec(rows):
            follower.take(body)


def _followers(session: Session, index: int) -> int:
    """How many derived entries stand directly after an entry."""
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
    found = read(text, domain, as_address)
    assert isinstance(found, Fact), "what is entered is a fact"
    return found


def _proof_of(entry: object) -> str | None:
    """The proof that an entry is found by."""
    found = getattr(entry, "proof", None)
    return found if isinstance(found, str) else None
