"""The journal under every order of records, retries, resolutions and crashes, against a model in plain dictionaries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from contracts.wire.states import TransferEnd
from ledger.books import journal
from ledger.errors import JournalConflict, NotFound
from ledger.storage.store import Store
from ledger.storage.tables import Resolution, Transfer
from tests.databases import fresh_database
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration
ACCOUNTS = st.sampled_from(["ada", "ben", "cal"])
BOOKS = st.sampled_from(["work", "units"])
IDS = st.sampled_from([f"t{i}" for i in range(6)])
AMOUNTS = st.one_of(st.integers(0, 50), st.just(2**256 - 1))


def transfer(name: str = "t", amount: int = 5, pending: bool = True, **other: str) -> Transfer:
    fields = {"book": "work", "debit": "ada", "credit": "ben", **other}
    return Transfer(id=name, amount=amount, pending=pending, made=1, **fields)


_databases = ExitStack()


@cache
def shared_store(kind: str) -> Store:
    """One database for all examples: in memory, or on PostgreSQL."""
    if kind == "sqlite":
        return Store("sqlite://")
    return Store(_databases.enter_context(fresh_database(kind, Path())))


@pytest.fixture(scope="module", autouse=True)
def _drop_databases() -> Iterator[None]:
    yield
    shared_store.cache_clear()
    _databases.close()


class Journal(RuleBasedStateMachine):
    """Amounts conserve, ids are used once, ends are final; whatever is refused leaves no trace."""

    kind = "sqlite"
    transfers = Bundle("transfers")

    @initialize()
    def open(self) -> None:
        self.session = Session(shared_store(self.kind).engine)
        if self.kind == "sqlite":
            self.session.connection().execute(text("BEGIN"))  # rolled back at the end: every example starts empty
        self.made: dict[str, tuple[str, str, str, int, bool]] = {}
        self.ends: dict[str, TransferEnd] = {}

    @rule(
        target=transfers, name=IDS, amount=AMOUNTS, pending=st.booleans(), book=BOOKS, debit=ACCOUNTS, credit=ACCOUNTS
    )
    def record(self, name: str, amount: int, pending: bool, book: str, debit: str, credit: str) -> str:
        contents = (book, debit, credit, amount, pending)
        entry = transfer(name, amount, pending, book=book, debit=debit, credit=credit)
        if self.made.setdefault(name, contents) == contents:
            journal.record(self.session, entry)
        else:
            with pytest.raises(JournalConflict):
                journal.record(self.session, entry)
        return name

    @rule(name=transfers)
    def retry(self, name: str) -> None:
        book, debit, credit, amount, pending = self.made[name]
        again = Transfer(id=name, book=book, debit=debit, credit=credit, amount=amount, pending=pending, made=99)
        journal.record(self.session, again)

    @rule(name=transfers, outcome=st.sampled_from(TransferEnd))
    def resolve(self, name: str, outcome: TransferEnd) -> None:
        pending = bool(self.made[name][4])
        if pending and self.ends.setdefault(name, outcome) == outcome:
            journal.resolve(self.session, name, outcome, 2)
            return
        with pytest.raises(JournalConflict):
            journal.resolve(self.session, name, outcome, 2)

    @rule(name=IDS)
    def resolve_unknown(self, name: str) -> None:
        if name not in self.made:
            with pytest.raises(NotFound):
                journal.resolve(self.session, name, TransferEnd.POSTED, 2)

    @rule(names=st.lists(IDS, min_size=1, max_size=4), amount=AMOUNTS, outcome=st.sampled_from(TransferEnd))
    def crash(self, names: list[str], amount: int, outcome: TransferEnd) -> None:
        """A transaction dies after several records and ends: the model does not move."""
        with self.session.begin_nested() as doomed:
            for name in names:
                with suppress(JournalConflict, NotFound):
                    journal.record(self.session, transfer(f"{name}-lost", amount))
                    journal.resolve(self.session, f"{name}-lost", outcome, 3)
                    journal.resolve(self.session, name, outcome, 3)
            doomed.rollback()

    @invariant()
    def balances_are_those_of_what_is_posted(self) -> None:
        for wanted in ("work", "units"):
            expected: dict[str, int] = {}
            for name, (book, debit, credit, amount, pending) in self.made.items():
                if book == wanted and (not pending or self.ends.get(name) == "posted"):
                    expected[str(debit)] = expected.get(str(debit), 0) - int(str(amount))
                    expected[str(credit)] = expected.get(str(credit), 0) + int(str(amount))
            found = journal.balances(self.session, wanted)
            assert found == journal.kept(self.session, wanted) == expected
            assert sum(found.values()) == 0

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        count = self.session.exec(select(func.count(col(Transfer.id)))).one()
        ended = self.session.exec(select(func.count(col(Resolution.transfer)))).one()
        assert (count, ended) == (len(self.made), len(self.ends))

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.session.rollback()
            self.session.close()


class JournalOnPostgresql(Journal):
    """The same on the other database; its transaction has begun by itself."""

    kind = "postgresql"


TestJournal, TestJournalOnPostgresql = Journal.TestCase, JournalOnPostgresql.TestCase
TestJournal.settings = TestJournalOnPostgresql.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_negative_amount_is_refused(store: Store) -> None:
    with store.write() as session, pytest.raises(JournalConflict, match="negative"):
        journal.record(session, transfer(amount=-1))


@holds("A transaction that fails halfway leaves nothing", by="ledger/books/journal.py:record", against=Threat.CRASH)
def test_what_fails_in_one_transaction_leaves_nothing(store: Store) -> None:
    def contradict() -> None:
        with store.write() as session:
            journal.record(session, transfer("kept?"))
            journal.record(session, transfer("kept?", amount=6))

    with pytest.raises(JournalConflict):
        contradict()
    with store.read() as session:
        assert session.get(Transfer, "kept?") is None


def test_a_resolution_survives_reopening(store: Store) -> None:
    with store.write() as session:
        journal.record(session, transfer(amount=2**200))
        journal.resolve(session, "t", TransferEnd.POSTED, 3)
    reopened = Store(str(store.engine.url))
    with reopened.read() as session:
        assert journal.balances(session, "work") == {"ada": -(2**200), "ben": 2**200}
