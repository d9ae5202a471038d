"""Facts and what follows from them stand in the log and in the books together, whoever writes and whatever fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from contracts.errors import CommonweightError
from contracts.protocol.log.follower import audit
from contracts.protocol.log.signed import Envelope
from ledger.books import journal, log
from ledger.machine.replica import Replica
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from tests.databases import fresh_file
from tests.holds import Threat, holds
from tests.ledger.service import facts_of

pytestmark = pytest.mark.integration


class Failed(Exception):
    """A transaction that ends badly."""


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=1)
    made.play()
    return made


def replica(run: SignedRun) -> Replica:
    return Replica(run.functions, DOMAIN)


def leaves(session: Session) -> list[str]:
    return [entry.body for entry in log.bodies(session, 0, 10_000)]


def test_the_log_is_what_the_machine_makes_of_the_facts(store: Store, run: SignedRun) -> None:
    writer = replica(run)
    for fact in facts_of(run.leaves):
        with store.write() as session:
            writer.enter(session, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves
        assert sum(journal.balances(session, "work").values()) == 0
    audit(run.leaves, run.functions, DOMAIN)


def test_posted_work_is_credited_at_the_payout_address(store: Store, run: SignedRun) -> None:
    writer = replica(run)
    for fact in facts_of(run.leaves):
        with store.write() as session:
            writer.enter(session, fact)
    with store.read() as session:
        for node in run.nodes:
            wallet = key(f"wallet of {node.address}").address
            assert journal.balance(session, "work", wallet) == run.config.tokens_per_round


def test_a_message_sent_twice_is_entered_once(store: Store, run: SignedRun) -> None:
    writer = replica(run)
    for fact in facts_of(run.leaves):
        for _ in range(2 if isinstance(fact, Envelope) else 1):
            with store.write() as session:
                writer.enter(session, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves


def test_a_refused_fact_leaves_nothing(store: Store, run: SignedRun) -> None:
    """One that comes before its time, and one whose signature is no signature."""
    writer, facts = replica(run), facts_of(run.leaves)
    with store.write() as session:
        writer.enter(session, facts[0])
    manifest = facts[2]
    assert isinstance(manifest, Envelope)
    forged = replace(manifest, signatures=(b"\1" * 64 + b"\x1b",))
    for fact in (facts[-2], forged):
        with pytest.raises(CommonweightError), store.write() as session:
            writer.enter(session, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves[:1]


def enter_and_fail(store: Store, writer: Replica, fact: Any) -> None:
    """A transaction that ends badly after the fact was applied."""
    with store.write() as session:
        writer.enter(session, fact)
        raise Failed


def test_what_was_not_committed_is_forgotten(store: Store, run: SignedRun) -> None:
    """The next writer goes on from what the database holds."""
    writer = replica(run)
    for fact in facts_of(run.leaves):
        with pytest.raises(Failed):
            enter_and_fail(store, writer, fact)
        with store.write() as session:
            writer.enter(session, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves


def test_another_process_goes_on_where_one_stopped(store: Store, run: SignedRun) -> None:
    writers = [replica(run), replica(run), replica(run)]
    for number, fact in enumerate(facts_of(run.leaves)):
        with store.write() as session:
            writers[number % 3].enter(session, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves
        assert replica(run).at_end(session) == writers[0].at_end(session)


@holds(
    "A fact and its derived entries are entered together, for every writer and every failure",
    by="ledger/machine/replica.py:Replica.enter",
    against=Threat.CRASH,
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=60, max_size=120))
def test_no_order_of_writers_and_failures_changes_the_log(
    plan: list[tuple[int, bool]], run: SignedRun, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(fresh_file(tmp_path_factory.mktemp("store")))
    writers, due = [replica(run) for _ in range(3)], facts_of(run.leaves)
    for who, fails in plan[: len(due)]:
        if fails:
            with pytest.raises(Failed):
                enter_and_fail(store, writers[who], due[0])
        else:
            with store.write() as session:
                writers[who].enter(session, due.pop(0))
    with store.read() as session:
        held = leaves(session)
        assert held == run.leaves[: len(held)]
    store.engine.dispose()
