"""Epochs in rows and books: whatever becomes of a root on the chain, exactly what it pays is owed, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select

from contracts.protocol.judge.chain_events import ChainEvent as Said
from contracts.protocol.judge.chain_events import EpochFinal, EpochLapsed, EpochLimit, EpochStruck
from ledger.books import journal, log
from ledger.context import Ledger
from ledger.fsck import judged
from ledger.fsck.finding import Finding
from ledger.machine.effects import payouts_of
from ledger.storage.store import Store
from ledger.storage.tables import ChainEvent, ClosingRow, Epoch, PayoutRow, Transfer
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.holds import Threat, holds
from tests.ledger.service import facts_of, give, ledger_of

pytestmark = pytest.mark.integration
OTHER = "0x" + "77" * 32


class Epoched(SignedRun):
    """A run whose epoch 1 has closed; what the chain makes of it is the test's."""

    def __init__(self) -> None:
        super().__init__(rounds=1)
        self.commit_all()
        self.see()
        self.read_all()
        self.merge()
        self.first = self.state.epochs[1].closed

    @property
    def root(self) -> str:
        return self.state.epochs[1].closed.root


@pytest.fixture
def run() -> Epoched:
    return Epoched()


@pytest.fixture
def ledger(store: Store, tmp_path: Path) -> Ledger:
    return ledger_of(store, tmp_path)


def enter_all(ledger: Ledger, run: SignedRun) -> None:
    """What the log lacks."""
    with ledger.store.read() as session:
        held = log.size(session)
    for fact in facts_of(run.leaves[held:]):
        give(ledger, fact)


def epoch(ledger: Ledger) -> Epoch:
    with ledger.store.read() as session:
        return session.get_one(Epoch, 1)


def owed(ledger: Ledger) -> int:
    with ledger.store.read() as session:
        found = journal.balances(session, "units")
        assert sum(found.values()) == 0
        return sum(amount for account, amount in found.items() if account.startswith("owed:"))


def paid_lines(ledger: Ledger) -> int:
    with ledger.store.read() as session:
        return sum(session.exec(select(PayoutRow.amount)).all())


def findings(ledger: Ledger) -> list[Finding]:
    with ledger.store.read() as session:
        return [*judged.check_tree(ledger, session), *judged.check_journal(ledger, session)]


def test_what_closed_is_pending_and_owed_by_nobody(ledger: Ledger, run: Epoched) -> None:
    enter_all(ledger, run)
    row = epoch(ledger)
    with ledger.store.read() as session:
        promised = session.exec(select(Transfer).where(Transfer.book == "units")).all()
        closing = session.exec(select(ClosingRow)).one()
    assert (row.state, row.ours, row.root, row.total) == ("closed", None, run.first.root, 10**21)
    assert (row.log_size, row.settled_at) == (closing.log_index + 1, run.first.settled_at)
    assert [transfer.pending for transfer in promised] == [True, True]
    assert (owed(ledger), paid_lines(ledger)) == (0, 0)
    assert findings(ledger) == []


def test_what_is_final_is_owed(ledger: Ledger, run: Epoched) -> None:
    run.block(EpochFinal(1, 0, run.root))
    enter_all(ledger, run)
    assert (epoch(ledger).state, epoch(ledger).ours) == ("final", True)
    assert (owed(ledger), paid_lines(ledger)) == (10**21, 10**21)
    assert findings(ledger) == []


def test_a_lapsed_root_that_closes_again_alike_is_promised_once(ledger: Ledger, run: Epoched) -> None:
    run.block(seconds=700)
    assert run.root == run.first.root
    run.block(EpochFinal(1, 0, run.root))
    enter_all(ledger, run)
    with ledger.store.read() as session:
        assert len(session.exec(select(ClosingRow)).all()) == 2
    assert (owed(ledger), paid_lines(ledger)) == (10**21, 10**21)
    assert epoch(ledger).deadline > run.first.deadline
    assert findings(ledger) == []


@holds("A payment is pending until its root is final", by="ledger/machine/effects.py:cause", against=Threat.WRONG_PAY)
@pytest.mark.parametrize("newest", [True, False])
def test_of_a_root_and_a_cut_one_the_final_one_is_owed(ledger: Ledger, run: Epoched, newest: bool) -> None:
    """The older root may have been proposed in time, and become final after the newer one was given."""
    run.block(EpochLimit(10**20), seconds=700)
    assert run.root != run.first.root
    enter_all(ledger, run)
    assert (epoch(ledger).root, epoch(ledger).total, owed(ledger)) == (run.root, 10**20, 0)
    final = run.root if newest else run.first.root
    run.block(EpochFinal(1, 0, final))
    enter_all(ledger, run)
    row = epoch(ledger)
    due = 10**20 if newest else 10**21
    assert (row.root, row.total, row.ours) == (final, due, True)
    assert (owed(ledger), paid_lines(ledger)) == (due, due)
    assert findings(ledger) == []


def test_a_root_that_holders_struck_down_owes_nothing(ledger: Ledger, run: Epoched) -> None:
    run.block(EpochStruck(1, 0))
    enter_all(ledger, run)
    assert (epoch(ledger).attempt, epoch(ledger).total, epoch(ledger).count) == (1, 0, 0)
    run.block(EpochFinal(1, 1, run.root))
    enter_all(ledger, run)
    assert (epoch(ledger).state, epoch(ledger).ours, epoch(ledger).attempt) == ("final", True, 1)
    assert (owed(ledger), paid_lines(ledger)) == (0, 0)
    assert findings(ledger) == []


def test_an_undecided_root_that_closes_again_alike_is_owed_once(ledger: Ledger, run: Epoched) -> None:
    run.block(EpochLapsed(1, 0))
    enter_all(ledger, run)
    assert (epoch(ledger).attempt, epoch(ledger).root) == (1, run.first.root)
    run.block(EpochFinal(1, 1, run.root))
    enter_all(ledger, run)
    assert (epoch(ledger).state, epoch(ledger).ours, epoch(ledger).attempt) == ("final", True, 1)
    assert (owed(ledger), paid_lines(ledger)) == (10**21, 10**21)
    assert findings(ledger) == []


def test_a_root_of_nobody_is_said_and_owes_nothing(
    ledger: Ledger, run: Epoched, caplog: pytest.LogCaptureFixture
) -> None:
    run.block(EpochFinal(1, 0, OTHER))
    enter_all(ledger, run)
    assert (epoch(ledger).state, epoch(ledger).ours) == ("final", False)
    assert (owed(ledger), paid_lines(ledger)) == (0, 0)
    assert OTHER in caplog.text
    assert findings(ledger) == []


def test_a_claim_read_before_the_epochs_end_is_paid(ledger: Ledger, run: Epoched) -> None:
    """The indexer may be ahead of the log by some blocks."""
    enter_all(ledger, run)
    run.block(EpochFinal(1, 0, run.root))
    leaf = "0x" + payouts_of(run.functions, 1, run.first.lines)[0].leaf().hex()
    with ledger.store.write() as session:
        other = "0x" + payouts_of(run.functions, 1, run.first.lines)[1].leaf().hex()
        for block, receipt, ours in ((run.number, leaf, True), (1, OTHER, True), (run.number + 1, other, False)):
            said = {"receipt": receipt, "amount": "1", "ours": ours}
            session.add(
                ChainEvent(
                    block=block, log_index=0, transaction="0x", contract="ModelToken", name="Minted", arguments=said
                )
            )
    enter_all(ledger, run)
    with ledger.store.read() as session:
        minted = session.exec(select(Transfer).where(col(Transfer.id).startswith("minted:"))).one()
    assert (minted.id, minted.amount) == (f"minted:{leaf}", run.first.lines[0].amount)
    assert owed(ledger) == 10**21 - minted.amount
    assert findings(ledger) == []


def test_many_events_of_one_block_end_one_epoch(ledger: Ledger, run: Epoched) -> None:
    more: list[Said] = [EpochLimit(n) for n in range(10, 40)]
    run.block(*more, EpochFinal(1, 0, run.root), *more)
    enter_all(ledger, run)
    assert epoch(ledger).ours is True
    assert findings(ledger) == []
