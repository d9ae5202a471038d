"""A slice of the benchmark: eight processes, two hundred commitments, each sent by three of them, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.submitted_round import ledger_at, open_rounds
from benchmarks.submitters import COPIES, NotHeld, _sent_by, check, submitters
from ledger.books import log
from ledger.intake import door
from tests.databases import KINDS, fresh_database

pytestmark = pytest.mark.integration
WRITERS, EVENTS = 8, 200


def test_every_event_is_sent_by_several_neighbours() -> None:
    sent = [_sent_by(writer, WRITERS, EVENTS) for writer in range(WRITERS)]
    assert all(sum(event in mine for mine in sent) == COPIES for event in range(EVENTS))
    assert all(len(mine) == EVENTS * COPIES // WRITERS for mine in sent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_many_send_at_once_is_entered_once(kind: str, tmp_path: Path) -> None:
    """And nobody is refused. `submitters` looks at what they left."""
    with fresh_database(kind, tmp_path) as url:
        assert submitters(url, tmp_path, WRITERS, EVENTS)["sent"] == EVENTS * COPIES


def test_the_check_sees_what_is_missing_or_too_much(tmp_path: Path) -> None:
    with fresh_database("sqlite", tmp_path) as url:
        ledger = ledger_at(url, tmp_path)
        opened = open_rounds(ledger, 3)
        for text in opened.texts[:2]:
            door.take(ledger, text)
        with ledger.store.read() as session, pytest.raises(NotHeld, match="2 new entries"):
            check(session, ledger, opened)
        door.take(ledger, opened.texts[2])
        with ledger.store.write() as session:
            check(session, ledger, opened)
            log.extend(session, [(opened.texts[0].decode(), None)])
            with pytest.raises(NotHeld, match="4 new entries"):
                check(session, ledger, opened)
        ledger.store.engine.dispose()
