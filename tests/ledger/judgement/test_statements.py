"""What a message costs in statements: the database's turn is what all writers wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from contracts.protocol.log.signed import Envelope
from ledger.store import Store
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.ledger.judgement.service import facts_of, give, ledger_of

pytestmark = pytest.mark.integration

MOST: dict[str, int] = {
    "RunTerms": 9,
    "VerifierAnchor": 10,
    "Enrolment": 10,
    "Commitment": 13,
    "Has": 10,
    "Seen": 10,
    "RoundSecret": 10,
    "StateOpening": 14,
    "Verdict": 10,
    "PledgeReveal": 16,
    "TraceReveal": 10,
    "Merge": 18,
}
"""On SQLite, with all that follows: begin and end of a reader's and a writer's transaction, what is looked up, the
message, its nodes of the tree, and rows for what it causes: a last merge closes the epoch, too.

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
