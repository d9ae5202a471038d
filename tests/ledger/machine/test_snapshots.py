"""A process that starts reads on from a snapshot, if it is one of this log and of this code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.protocol.log.follower import Follower
from ledger.machine.snapshots import KEPT, Snapshots
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.ledger.service import facts_of, give, leaves, ledger_of, state_text

pytestmark = pytest.mark.integration
EVERY = 25


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


@pytest.fixture
def folder(store: Store, tmp_path: Path, run: SignedRun) -> Path:
    """Of a server that stopped some entries after its last snapshot."""
    ledger = ledger_of(store, tmp_path, Snapshots(tmp_path / "machine", EVERY))
    for fact in facts_of(run.leaves)[:-3]:
        give(ledger, fact)
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indexes of the leaves that any machine reads from here on."""
    found: list[int] = []
    take = Follower.take

    def counted(self: Follower, text: str) -> object:
        found.append(self.size)
        return take(self, text)

    monkeypatch.setattr(Follower, "take", counted)
    return found


def test_a_start_reads_on_from_the_newest_snapshot(store: Store, folder: Path, run: SignedRun, read: list[int]) -> None:
    files = sorted((folder / "machine").iterdir())
    assert len(files) == KEPT
    restarted = ledger_of(store, folder, Snapshots(folder / "machine", EVERY))
    text = state_text(restarted)
    assert 0 < len(read) <= EVERY + 20
    assert min(read) == int(files[-1].stem)
    assert text == state_text(ledger_of(store, folder))
    for fact in facts_of(run.leaves)[-3:]:
        give(restarted, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves


def changed(file: Path, change: Callable[[dict[str, object], bytes], tuple[dict[str, object], bytes]]) -> None:
    head, _, body = file.read_bytes().partition(b"\n")
    said, body = change(json.loads(head), body)
    file.write_bytes(json.dumps(said).encode() + b"\n" + body)


def flipped(head: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    return head, body.replace(b'"k":2', b'"k":1')


def reworded(head: dict[str, object], _: bytes) -> tuple[dict[str, object], bytes]:
    return {**head, "digest": hashlib.sha256(b"{}").hexdigest()}, b"{}"


def of_other_code(head: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    return {**head, "code": "00" * 32}, body


def of_another_log(head: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    return {**head, "root": "00" * 32}, body


def of_a_longer_log(head: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    return {**head, "size": 10**6}, body


def cut(head: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    return {}, body


@pytest.mark.parametrize("change", [flipped, reworded, of_other_code, of_another_log, of_a_longer_log, cut])
def test_one_that_does_not_fit_is_not_used(
    store: Store, folder: Path, read: list[int], change: Callable[..., tuple[dict[str, object], bytes]]
) -> None:
    """The one before it is, and without any the log is read from its start."""
    files = sorted((folder / "machine").iterdir())
    changed(files[-1], change)
    whole = state_text(ledger_of(store, folder))
    read.clear()
    assert state_text(ledger_of(store, folder, Snapshots(folder / "machine"))) == whole
    assert min(read) == int(files[0].stem)
    changed(files[0], change)
    read.clear()
    assert state_text(ledger_of(store, folder, Snapshots(folder / "machine"))) == whole
    assert min(read) == 0


def test_a_disk_that_takes_nothing_stops_nobody(store: Store, tmp_path: Path, run: SignedRun) -> None:
    (tmp_path / "machine").write_text("a file where the folder should be")
    ledger = ledger_of(store, tmp_path, Snapshots(tmp_path / "machine", EVERY))
    for fact in facts_of(run.leaves):
        give(ledger, fact)
    with store.read() as session:
        assert leaves(session) == run.leaves
