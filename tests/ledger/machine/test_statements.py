"""What a message costs in statements: the database's turn is what all writers wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from benchmarks.submitted_round import open_rounds
from contracts.protocol.log.envelope import parse_envelope
from contracts.protocol.log.signed import Envelope
from ledger.context import Ledger
from ledger.machine.replica import PreparedFact
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.holds import Threat, holds
from tests.ledger.service import facts_of, give, ledger_of

pytestmark = pytest.mark.integration

MOST: dict[str, int] = {
    "RunTerms": 5,
    "VerifierAnchor": 6,
    "Enrolment": 6,
    "Commitment": 8,
    "Has": 6,
    "Seen": 6,
    "RoundSecret": 6,
    "StateOpening": 7,
    "Verdict": 6,
    "PledgeReveal": 11,
    "TraceReveal": 6,
    "Merge": 14,
}
"""On SQLite, with all that follows: begin and end of a writer's transaction, what is looked up, the message, its nodes
of the tree, and rows for what it causes: a last merge closes the epoch, too, and a pledge posts work,
which is in two sums from then on. Many messages in a turn share most of it.

Version 0.1 took 10 for a run, 9 to 14 for anchors and enrolments, 17 for a commitment (27 with its answer), 20 to 25
for a verdict, 35 for a pledge, and 12 for a merge, after which the keeper closed the epoch.
"""
AGAIN = 6


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """All that the database is told."""
    told: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        told.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield told
    event.remove(store.engine, "before_cursor_execute", note)


@holds(
    "A message needs no more SQL statements than in version 0.1",
    by="ledger/machine/replica.py:Replica.enter",
    against=Threat.FLOOD,
)
def test_a_message_costs_no_more_statements_than_before(tmp_path: Path) -> None:
    """However many messages stand in the log; and one that stands there already costs a look."""
    run = SignedRun(rounds=2)
    run.play(2)
    ledger = ledger_of(Store(f"sqlite:///{tmp_path / 'ledger.db'}"), tmp_path)
    seen: dict[str, int] = {}
    for fact in facts_of(run.leaves):
        with statements(ledger.store) as told:
            give(ledger, fact)
        if not isinstance(fact, Envelope):
            continue
        kind = type(fact.message).__name__
        assert len(told) <= MOST[kind], (kind, told)
        seen[kind] = max(seen.get(kind, 0), len(told))
        with statements(ledger.store) as told:
            give(ledger, fact)
        assert len(told) <= AGAIN, told
    assert seen == MOST


def test_many_messages_in_a_turn_cost_as_many_statements_as_one(tmp_path: Path) -> None:
    """Of the writer's transaction; what is looked up before is each writer's own."""
    ledger, found = ledger_of(Store(f"sqlite:///{tmp_path / 'ledger.db'}"), tmp_path), dict[int, int]()
    texts = open_rounds(ledger, 31).texts
    for first, count in ((0, 1), (1, 30)):
        facts = [_prepared(ledger, text) for text in texts[first : first + count]]
        with statements(ledger.store) as told, ledger.store.write() as session:
            ledger.judge.enter_many(session, facts)
        found[count] = len(told)
    assert found[30] <= found[1] + 1, "a long stretch of the tree may take one more look at its nodes"


def _prepared(ledger: Ledger, text: bytes) -> PreparedFact:
    envelope, read = parse_envelope(text)
    with ledger.store.read() as session:
        return ledger.judge.prepare(session, envelope, read)
