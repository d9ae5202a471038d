"""What the chain has and the ledger lacks is a finding: an older ledger, or an empty one, on a chain that went on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from commonweight.server_database import existing_database
from contracts.protocol.chain.logs import DecodedLog, EventFilter
from ledger import identity
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.errors import DatabaseMissing
from ledger.fsck import onchain
from ledger.fsck.examine import examine
from ledger.fsck.finding import Finding
from ledger.machine.replica import Replica
from ledger.public_log.unseen import look
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from ledger.storage.tables import FINAL, ChainEvent, Cursor, Epoch, LogEntry
from tests.databases import fresh_file
from tests.house import House
from tests.ledger.fsck.vandal import unguarded

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server runs beside."""
    monkeypatch.setattr(onchain, "PATIENCE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def went_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, Path]]:
    """A ledger with one final, claimed epoch, and a copy of its database from before the epoch closed."""
    folder = tmp_path_factory.mktemp("house")
    with House(folder, database=fresh_file(folder)) as house:
        house.start(nodes=2)
        house.run.commit_all()
        yesterday = folder / "yesterday.db"
        with house.ledger.store.engine.connect() as connection:
            connection.exec_driver_sql(f"VACUUM INTO '{yesterday}'")
        house.run.see()
        house.run.read_all()
        house.run.merge()
        house.settle_epoch()
        for wallet in house.wallets:
            house.claim(wallet.address)
        house.step(3)
        house.wait(1)
        house.step(3)
        yield house.ledger, yesterday


def of(whole: Ledger, file: Path, folder: Path) -> Ledger:
    """A process of the same server on another database."""
    judge = Replica(whole.judge.functions, whole.judge.domain)
    return replace(whole, store=Store(f"sqlite:///{file}"), blobs=BlobFolder(folder / "blobs"), judge=judge)


def copied(whole: Ledger, folder: Path) -> Ledger:
    """On a copy, to be spoiled."""
    with whole.store.engine.connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{folder / 'ledger.db'}'")
    return of(whole, folder / "ledger.db", folder)


def found(ledger: Ledger) -> list[Finding]:
    return [finding for part in examine(ledger, ("chain", "governance")) for finding in part.findings]


def said(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


def test_the_whole_ledger_holds_in_both_directions(went_on: tuple[Ledger, Path]) -> None:
    ledger, _ = went_on
    assert found(ledger) == []
    with ledger.store.read() as session:
        assert not look(ledger, session)
        events = {event.name for event in session.exec(select(ChainEvent))}
    assert events >= {"EpochFinalized", "Minted"}  # the check has had something to check


def test_an_empty_database_on_a_chain_with_epochs_does_not_hold(went_on: tuple[Ledger, Path], tmp_path: Path) -> None:
    """It said that all holds, while the chain had four final epochs."""
    empty = of(went_on[0], Path(fresh_file(tmp_path).removeprefix("sqlite:///")), tmp_path)
    identity.require_own(empty.store, empty.chain.deployment)
    findings = found(empty)
    assert "epoch 1: is on the chain, and never closed in this log" in said(findings)
    assert "EpochFinalized" in said([f for f in findings if f.table == "cursor"])
    assert "docs/restore.md" in said([f for f in findings if f.table == "logentry"])


def test_a_backup_of_before_lacks_epoch_claims_and_events(went_on: tuple[Ledger, Path], tmp_path: Path) -> None:
    file = Path(shutil.copy(went_on[1], tmp_path / "ledger.db"))
    older = of(went_on[0], file, tmp_path)
    findings = found(older)
    assert {"epoch", "cursor", "logentry"} <= {finding.table for finding in findings}
    for _ in range(9):
        indexer.follow(older)
    caught_up = found(older)
    assert "cursor" not in {finding.table for finding in caught_up}
    mints = [finding for finding in caught_up if finding.table == "payout"]
    assert len(mints) == 2
    assert "the chain minted" in mints[0].what


def test_a_seat_that_the_log_does_not_know_is_named(went_on: tuple[Ledger, Path], tmp_path: Path) -> None:
    """An event of the chain that the machine was not told."""
    ledger = copied(went_on[0], tmp_path)
    other = "0x" + "11" * 20
    with unguarded(ledger.store) as session:
        row = next(e for e in session.exec(select(ChainEvent)) if e.name == "VerifierAdmitted")
        row.arguments = row.arguments | {"verifier": other}
        session.add(row)
    assert f"the chain has ['{other}'" in said(found(ledger))


def test_a_slash_of_a_proof_that_is_not_here_is_named(
    went_on: tuple[Ledger, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain's word about a proof of an end that was lost."""
    event = DecodedLog("NodeSlashed", {"proof": b"\5" * 32, "node": "0x22"}, 7, 0, "0x")
    monkeypatch.setattr(EventFilter, "read", lambda *_: iter([event]))
    with went_on[0].store.read() as session:
        (finding,) = onchain._check_slashes(went_on[0], session, 9)
    assert (finding.key, finding.what) == (
        "0x" + "05" * 32,
        "is missing: the chain slashed 0x22 for this proof in block 7",
    )


def test_a_log_that_cannot_be_followed_is_a_finding(went_on: tuple[Ledger, Path], tmp_path: Path) -> None:
    ledger = copied(went_on[0], tmp_path)
    with unguarded(ledger.store) as session:
        row = next(e for e in session.exec(select(LogEntry)) if json.loads(e.body)["kind"] == "round-opened")
        row.body = row.body.replace('"round":1', '"round":9')
        session.add(row)
    assert "cannot be read on from" in said(found(ledger))


def test_an_epoch_that_is_final_only_on_the_chain_is_named(went_on: tuple[Ledger, Path], tmp_path: Path) -> None:
    ledger = copied(went_on[0], tmp_path)
    with unguarded(ledger.store) as session:
        row = session.exec(select(Epoch)).one()
        row.state = "proposed"
        session.add(row)
        session.delete(session.get_one(Cursor, FINAL))
    assert "is missing, and chainevent has rows" in said(found(ledger))
    with unguarded(ledger.store) as session:
        kept = went_on[0].store
        with kept.read() as whole:
            session.merge(whole.get_one(Cursor, FINAL))
    assert "epoch 1: is final on the chain, and proposed here" in said(found(ledger))


def test_a_folder_without_a_database_is_no_ledger_that_holds(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        existing_database(tmp_path / "empty", "", None)
    assert list(tmp_path.iterdir()) == []
