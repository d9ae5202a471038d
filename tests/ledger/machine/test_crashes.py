"""A process that ends between any two lines of a transaction leaves log, books, rows and machine as they were."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.follower import audit
from ledger.context import Ledger
from ledger.crash_points import Crashed, armed
from ledger.storage.store import Store
from tests.alone import alone
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun
from tests.databases import fresh_file
from tests.holds import Threat, holds
from tests.ledger.service import facts_of, give, leaves, ledger_of, rows, state_text

pytestmark = pytest.mark.integration
POINTS = ("judgement.applied", "judgement.logged", "judgement.booked")


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=1)
    made.play()
    return made


@pytest.mark.parametrize("point", POINTS)
def test_an_error_at_any_point_of_any_fact_changes_nothing(
    store: Store, tmp_path: Path, run: SignedRun, point: str
) -> None:
    ledger, witness = ledger_of(store, tmp_path), ledger_of(store, tmp_path)
    for number, fact in enumerate(facts_of(run.leaves)):
        if number % 7 == 0 or number > len(facts_of(run.leaves)) - 4:
            before, text = rows(store), state_text(ledger)
            with pytest.raises(Crashed), armed(point, "raise"):
                give(ledger, fact)
            assert rows(store) == before
            assert state_text(ledger) == text
        give(ledger, fact)
    assert state_text(ledger) == state_text(witness)
    with store.read() as session:
        assert leaves(session) == run.leaves
        with ledger.judge.view(session) as state:
            assert dump(state) == dump(audit(run.leaves, run.functions, DOMAIN))


@holds(
    "The next process continues from what a killed process left",
    by="ledger/machine/replica.py:Replica.at_end",
    against=Threat.CRASH,
)
@alone
def test_a_process_goes_on_from_where_a_killed_one_stood(tmp_path: Path) -> None:
    """Killed at its first fact, its tenth, …, at one point after the other; each time a new process goes on."""
    run = SignedRun(rounds=1)
    run.play()
    facts, url = facts_of(run.leaves), fresh_file(tmp_path)
    for place, number in enumerate(range(0, len(facts), 14)):
        assert _ended_by_kill(tmp_path, url, run, number, POINTS[place % 3])
    ledger = _opened(tmp_path, url)
    _go_on(ledger, run, len(facts))
    with ledger.store.read() as session:
        assert leaves(session) == run.leaves
    assert state_text(ledger) == dump(audit(run.leaves, run.functions, DOMAIN))


def _ended_by_kill(folder: Path, url: str, run: SignedRun, until: int, point: str) -> bool:
    child = os.fork()
    if child == 0:
        ledger = _opened(folder, url)
        _go_on(ledger, run, until)
        with armed(point, "kill"):
            give(ledger, facts_of(run.leaves)[until])
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _opened(folder: Path, url: str) -> Ledger:
    return ledger_of(Store(url), folder)


def _go_on(ledger: Ledger, run: SignedRun, until: int) -> None:
    """Enter what the log lacks of the first facts."""
    with ledger.store.read() as session:
        held = len(facts_of(leaves(session)))
    for fact in facts_of(run.leaves)[held:until]:
        give(ledger, fact)
