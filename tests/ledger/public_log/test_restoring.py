"""A log that lost its end comes back from a mirror, or its server does not start (J20)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.mirrors.places import FolderPlace
from contracts.protocol.log.leaf import write
from contracts.protocol.log.operator import LogSigner
from ledger.books import log
from ledger.context import Ledger
from ledger.public_log import heads, restoring
from ledger.public_log.restoring import LogEndLost, Restored, SecondLog, take_back
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import SignedRun, key
from tests.ledger.service import facts_of, give, leaves, ledger_of, rows, state_text
from tests.verifier.log.files import OPERATOR, deployment, write_log

pytestmark = pytest.mark.integration
LOST = 7
"""Facts that a database of yesterday lacks."""


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "BATCH", 5)


def served(folder: Path, facts: list[Any]) -> Ledger:
    """A server that entered these facts."""
    folder.mkdir()
    ledger = ledger_of(Store(f"sqlite:///{folder / 'ledger.db'}"), folder)
    cast(SimpleNamespace, ledger.chain).deployment = deployment()
    for fact in facts:
        give(ledger, fact)
    return ledger


def mirror(folder: Path, texts: list[str], signer: LogSigner = OPERATOR) -> FolderPlace:
    return FolderPlace(write_log(folder, texts, signer))


@pytest.mark.parametrize("held", [0, 1, -LOST])
def test_what_a_mirror_holds_comes_back_whole(tmp_path: Path, run: SignedRun, held: int) -> None:
    """Log, books, epochs, announced blobs and the machine are what they were."""
    whole = served(tmp_path / "whole", facts_of(run.leaves))
    yesterday = served(tmp_path / "yesterday", facts_of(run.leaves)[:held])
    with yesterday.store.read() as session:
        before = log.size(session)
    place = mirror(tmp_path / "mirror", run.leaves)
    assert take_back(yesterday, [place]) == Restored(len(run.leaves) - before, 1)
    assert rows(yesterday.store) == rows(whole.store)
    assert state_text(yesterday) == state_text(whole)
    assert take_back(yesterday, [place]) == Restored(0, 1)


def test_a_mirror_that_breaks_off_is_followed_by_another(tmp_path: Path, run: SignedRun) -> None:
    broken = mirror(tmp_path / "broken", run.leaves)
    for file in (tmp_path / "broken" / "tile" / "entries").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-1] + b"!")
    shorter = mirror(tmp_path / "shorter", run.leaves[:-3])
    yesterday = served(tmp_path / "yesterday", facts_of(run.leaves)[:-LOST])
    take_back(yesterday, [broken, FolderPlace(tmp_path / "nothing"), shorter])
    with yesterday.store.read() as session:
        assert leaves(session)[: len(run.leaves) - 3] == run.leaves[:-3]


def test_a_head_of_somebody_else_brings_nothing(tmp_path: Path, run: SignedRun) -> None:
    stranger = LogSigner(OPERATOR.name, LogSigner.of(bytes(key("stranger").key)).key)
    place = mirror(tmp_path / "mirror", run.leaves, stranger)
    yesterday = served(tmp_path / "yesterday", facts_of(run.leaves)[:-LOST])
    assert take_back(yesterday, [place]) == Restored(0, 0)


@pytest.mark.parametrize("longer", [True, False])
def test_a_database_with_another_log_is_not_served(tmp_path: Path, run: SignedRun, longer: bool) -> None:
    """One that went on by itself from a copy: it would sign a second log."""
    other = SignedRun(rounds=2, emission=77)
    other.play(1)
    texts = run.leaves if longer else run.leaves[: len(other.leaves) - 2]
    here = served(tmp_path / "here", facts_of(other.leaves))
    with pytest.raises(SecondLog):
        take_back(here, [mirror(tmp_path / "mirror", texts)])
    with here.store.read() as session:
        assert leaves(session) == other.leaves


def test_a_restore_ends_at_the_first_entry_that_does_not_follow(tmp_path: Path, run: SignedRun) -> None:
    """Under the operator's own signature, too: a derived entry that is not what follows here is no entry."""
    derived = next(i for i, text in enumerate(run.leaves) if '"kind":"round-opened"' in text)
    forged = run.leaves[derived].replace('"round":1', '"round":9')
    assert forged != run.leaves[derived]
    place = mirror(tmp_path / "mirror", [*run.leaves[:derived], forged, *run.leaves[derived + 1 :]])
    fresh = served(tmp_path / "fresh", [])
    with pytest.raises(SecondLog):
        take_back(fresh, [place])
    with fresh.store.read() as session:
        assert log.size(session) <= derived


def test_a_log_behind_its_last_head_is_not_served_alone(tmp_path: Path, run: SignedRun) -> None:
    whole = served(tmp_path / "whole", facts_of(run.leaves))
    with whole.store.read() as session:
        note = heads.sign(whole, session)
    assert heads.last(whole) == note
    yesterday = served(tmp_path / "yesterday", facts_of(run.leaves)[:-LOST])
    with yesterday.store.read() as session:
        heads.sign(yesterday, session)
    (tmp_path / "yesterday" / "log" / "signed-head").write_bytes(note)
    without_last = run.leaves[: run.leaves.index(write(facts_of(run.leaves)[-1]))]
    with pytest.raises(LogEndLost, match=f"a head of {len(run.leaves)} entries"):
        take_back(yesterday, [])
    with pytest.raises(LogEndLost):
        take_back(yesterday, [mirror(tmp_path / "short", without_last)])
    take_back(yesterday, [mirror(tmp_path / "mirror", run.leaves)])
    with yesterday.store.read() as session:
        assert leaves(session) == run.leaves


def test_an_older_view_does_not_take_back_the_last_head(tmp_path: Path, run: SignedRun) -> None:
    """Of two processes that share a folder, one may be a moment behind."""
    behind = served(tmp_path / "behind", facts_of(run.leaves)[:-LOST])
    with behind.store.read() as session:
        older = heads.sign(behind, session)
    for fact in facts_of(run.leaves)[-LOST:]:
        give(behind, fact)
    with behind.store.read() as session:
        newer = heads.sign(behind, session)
    assert older != newer
    assert heads.last(behind) == newer
