"""A slice of the benchmark: eight processes, two hundred proofs, each sent by three of them, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select

from benchmarks.submitted_round import ledger_at
from benchmarks.submitters import COPIES, NotHeld, _sent_by, check, submitters
from ledger import log
from ledger.tables import Transfer
from tests.databases import KINDS, fresh_database

pytestmark = pytest.mark.integration
WRITERS, EVENTS = 8, 200


def test_every_event_is_sent_by_several_neighbours() -> None:
    sent = [_sent_by(writer, WRITERS, EVENTS) for writer in range(WRITERS)]
    assert all(sum(event in mine for mine in sent) == COPIES for event in range(EVENTS))
    assert all(len(mine) == EVENTS * COPIES // WRITERS for mine in sent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_many_send_at_once_is_stored_once(kind: str, tmp_path: Path) -> None:
    """And nobody is refused; then a single entry more is noticed, so that the check can fail."""
    with fresh_database(kind, tmp_path) as url:
        assert submitters(url, tmp_path, WRITERS, EVENTS)["sent"] == EVENTS * COPIES
        ledger = ledger_at(url, tmp_path / "blobs")
        with ledger.store.write() as session:
            transfer = session.exec(select(Transfer).order_by(col(Transfer.id))).first()
            assert transfer is not None
            log.append(session, "event", of=transfer.id)
            with pytest.raises(NotHeld, match=f"{EVENTS + 1} rows of LogEntry"):
                check(session, EVENTS)
        ledger.store.engine.dispose()
