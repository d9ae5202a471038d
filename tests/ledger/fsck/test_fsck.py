"""fsck is silent on a sound ledger, and names the row for whatever is done to it.

Accidents leave the seals behind; an operator who edits rows seals them anew, and log and chain still tell on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, select

from contracts.merkle.positional_tree import SHA256_TREE
from ledger.context import Ledger
from ledger.fsck.examine import FsckFailed, examine, require_sound
from ledger.fsck.finding import Finding
from ledger.storage.tables import (
    AnnouncedRow,
    Balance,
    ChainEvent,
    ClosingRow,
    CreditView,
    Cursor,
    DecisionRow,
    Epoch,
    FaultView,
    LogEntry,
    LogNode,
    NodeView,
    PayoutRow,
    ProofView,
    Proposal,
    Resolution,
    RoundView,
    RunView,
    TakenView,
    Transfer,
    Vote,
)
from ledger.views.projection import catch_up
from tests.databases import copied_store, fresh_database
from tests.deployed import PARAMS
from tests.holds import Threat, holds
from tests.house import House, accepted
from tests.ledger.fsck.vandal import flip_every_column, unguarded

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def whole(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """An epoch that is final and claimed on the chain, a proposal with a vote, every event read."""
    folder = tmp_path_factory.mktemp("settled")
    with fresh_database(database_kind, folder) as url:
        with House(folder, database=url) as house:
            house.become_holders()
            holder = house.wallets[0]
            proposal = house.propose(holder, "clip more", [("clip", "2")])
            house.wait(PARAMS.voting_delay + 1)
            accepted(house.vote(holder, proposal))
            house.step(3)
            catch_up(house.ledger)
        yield house.ledger  # the server that watches its log is gone, and nobody holds the database


@pytest.fixture
def settled(whole: Ledger, tmp_path: Path) -> Iterator[Ledger]:
    """The same on a copy of its database, to be spoiled."""
    with copied_store(whole.store, tmp_path) as store:
        yield replace(whole, store=store)


def found(ledger: Ledger) -> list[Finding]:
    return [finding for part in examine(ledger) for finding in part.findings]


def test_a_sound_ledger_has_no_findings(settled: Ledger) -> None:
    require_sound(settled)
    with settled.store.read() as session:
        minted = [t for t in session.exec(select(Transfer)) if t.id.startswith("minted:")]
    assert len(minted) == 2  # the check has had something to check


def edit(row: SQLModel, **changes: Any) -> Callable[[Session], None]:
    """An operator's edit: the row with other contents, under a seal that fits."""

    def apply(session: Session) -> None:
        kept = session.merge(row)
        for name, value in changes.items():
            setattr(kept, name, value)
        session.add(kept)

    return apply


def first(session: Session, table: type[SQLModel], **where: Any) -> Any:
    rows = session.exec(select(table))
    return next(row for row in rows if all(getattr(row, name) == value for name, value in where.items()))


OTHER = "0x" + "11" * 20
EDITS: dict[str, tuple[Callable[[Session], None], str]] = {
    "amount-of-work-raised": (lambda s: edit(first(s, Transfer, book="work"), amount=10**9)(s), "transfer"),
    "work-credited-to-another": (lambda s: edit(first(s, Transfer, book="work"), credit=OTHER)(s), "transfer"),
    "void-turned-into-post": (lambda s: edit(first(s, Resolution), outcome="voided")(s), "resolution"),
    "debt-raised": (lambda s: edit(first(s, Transfer, book="units"), amount=10**9)(s), "transfer"),
    "transfer-lost": (lambda s: s.delete(first(s, Transfer, book="units")), "transfer"),
    "end-lost": (lambda s: s.delete(first(s, Resolution)), "resolution"),
    "payout-redirected": (lambda s: edit(first(s, PayoutRow), account=OTHER)(s), "payout"),
    "payout-lost": (lambda s: s.delete(first(s, PayoutRow)), "payout"),
    "epoch-opened-again": (lambda s: edit(first(s, Epoch), state="proposed")(s), "epoch"),
    "epoch-of-another-root": (lambda s: edit(first(s, Epoch), root="0x" + "22" * 32)(s), "epoch"),
    "epoch-over-another-log": (lambda s: edit(first(s, Epoch), log_root="0x" + "22" * 32)(s), "epoch"),
    "cursor-lost": (lambda s: s.delete(first(s, Cursor)), "cursor"),
    "mint-made-up": (
        lambda s: s.add(
            ChainEvent(
                block=1,
                log_index=0,
                transaction="0x",
                contract="ModelToken",
                name="Minted",
                arguments={"receipt": "0x00", "to": OTHER, "amount": "5", "ours": True},
            )
        ),
        "chainevent",
    ),
    "mint-forgotten": (lambda s: s.delete(first(s, ChainEvent, name="Minted")), "chainevent"),
    "decision-made-up": (lambda s: s.add(DecisionRow(sequence=9, key="rounds", value="1", block=1)), "decision"),
    "vote-turned": (lambda s: edit(first(s, Vote), support=0)(s), "vote"),
    "vote-lost": (lambda s: s.delete(first(s, Vote)), "vote"),
    "vote-made-up": (
        lambda s: s.add(Vote(proposal="1", voter=OTHER, support=1, weight=10**9, block=1, log_index=0)),
        "vote",
    ),
    "count-raised": (lambda s: edit(first(s, Proposal), in_favour=10**9)(s), "proposal"),
    "proposal-of-other-calls": (lambda s: edit(first(s, Proposal), actions=[])(s), "proposal"),
    "proposal-lost": (lambda s: s.delete(first(s, Proposal)), "proposal"),
    "run-that-shows-another-emission": (
        lambda s: edit(run := first(s, RunView), body=run.body | {"manifest": {"emission": "999000"}})(s),
        "runview",
    ),
    "round-that-shows-an-accomplice": (
        lambda s: edit(shown := first(s, RoundView), body=shown.body | {"verifiers": [OTHER]})(s),
        "roundview",
    ),
    "round-not-shown": (lambda s: s.delete(first(s, RoundView)), "roundview"),
    "proof-shown-as-another-round's": (lambda s: edit(first(s, ProofView), number=7)(s), "proofview"),
    "proof-shown-as-void": (
        lambda s: edit(shown := first(s, ProofView), body=shown.body | {"state": "voided"})(s),
        "proofview",
    ),
    "balance-raised": (lambda s: edit(kept := first(s, Balance), credited=kept.credited + 1)(s), "balance"),
    "balance-lost": (lambda s: s.delete(first(s, Balance)), "balance"),
    "balance-made-up": (lambda s: s.add(Balance(book="units", account="owed:me", credited=5, debited=0)), "balance"),
    "node-shown-as-paid-elsewhere": (
        lambda s: edit(shown := first(s, NodeView), body=shown.body | {"payout": OTHER})(s),
        "nodeview",
    ),
    "node-not-shown": (lambda s: s.delete(first(s, NodeView)), "nodeview"),
    "round-shown-as-opened-later": (lambda s: edit(first(s, RoundView), entry=10**6)(s), "roundview"),
    "decision-shown-that-no-run-took": (
        lambda s: s.add(TakenView(run="0x01", entry=1, sequence=9, body={"applied": True})),
        "takenview",
    ),
    "contribution-shown-that-is-none": (lambda s: s.add(CreditView(run="0x01", entry=1, body={})), "creditview"),
    "fault-shown-that-is-none": (lambda s: s.add(FaultView(run="0x01", entry=1, body={})), "faultview"),
    "closing-of-another-root": (lambda s: edit(first(s, ClosingRow), root="0x" + "22" * 32)(s), "closing"),
    "closing-lost": (lambda s: s.delete(first(s, ClosingRow)), "closing"),
    "blob-that-nobody-announced": (
        lambda s: s.add(
            AnnouncedRow(digest="77" * 32, message="0x01", kind="state", size=9, run="0x02", round=1, author=OTHER)
        ),
        "announced",
    ),
    "blob-of-another-author": (lambda s: edit(first(s, AnnouncedRow), author=OTHER)(s), "announced"),
    "transfer-made-up": (
        lambda s: s.add(
            Transfer(id="free", book="units", debit="emission:1", credit="owed:me", amount=5, pending=False, made=1)
        ),
        "transfer",
    ),
}


@holds("A document is what the log gives", by="ledger/views/rebuilt.py:rebuilt", against=Threat.REWRITTEN_LOG)
@holds(
    "An edited database differs from its log, and a rewritten log differs from the chain",
    by="ledger/fsck/judged.py:check_journal",
    against=Threat.CRASH,
)
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_under_a_fitting_seal_is_found_and_named(settled: Ledger, name: str) -> None:
    vandalise, table = EDITS[name]
    with unguarded(settled.store) as session:
        vandalise(session)
    findings = found(settled)
    assert table in {finding.table for finding in findings}, findings
    with pytest.raises(FsckFailed, match=table):
        require_sound(settled)


def test_a_history_rewritten_with_its_tree_contradicts_the_chain(settled: Ledger) -> None:
    """The worst that an operator can do to the log: another leaf, and every node over it."""
    with unguarded(settled.store) as session:
        leaves = list(session.exec(select(LogEntry).order_by(LogEntry.index)))  # type: ignore[arg-type]
        forged = json.loads(leaves[0].body) | {"note": "rewritten"}
        leaves[0].body = json.dumps(forged, sort_keys=True, separators=(",", ":"))
        rewrite_tree(session, [leaf.body for leaf in leaves])
    findings = found(settled)
    assert any(f.table == "epoch" and "log root" in f.what for f in findings), findings


def rewrite_tree(session: Session, bodies: list[str]) -> None:
    waiting: list[bytes] = []
    nodes = iter(session.exec(select(LogNode).order_by(LogNode.number)).all())  # type: ignore[arg-type]
    for index, body in enumerate(bodies):
        node = SHA256_TREE.leaf_hash(body.encode())
        next(nodes).hash = node
        for _ in range(((index + 1) & -(index + 1)).bit_length() - 1):
            node = SHA256_TREE.node_hash(waiting.pop(), node)
            next(nodes).hash = node
        waiting.append(node)
    session.flush()


@holds(
    "A flipped bit in any table is detected, and its row is named",
    by="ledger/fsck/rows.py:check_rows",
    against=Threat.CRASH,
)
def test_every_flipped_bit_is_found_and_its_row_named(settled: Ledger) -> None:
    """One row of every table, every column of it, one bit each; documents have no seal, and are made anew."""
    flipped = list(flip_every_column(settled.store, lambda: found_without_chain(settled)))
    missed = [(table, column, findings) for table, column, findings in flipped if not findings]
    assert missed == []
    unnamed = [(t, c, f) for t, c, f in flipped if t not in {finding.table for finding in f}]
    assert unnamed == []
    assert {table for table, _, _ in flipped} >= {
        "transfer",
        "payout",
        "logentry",
        "lognode",
        "epoch",
        "closing",
        "proofview",
        "proposal",
        "vote",
    }


def found_without_chain(ledger: Ledger) -> list[Finding]:
    """What database and log alone tell: a flipped bit never needs the chain to be seen."""
    return [finding for part in examine(ledger, ("rows", "tree", "views")) for finding in part.findings]
