"""A mirror's copy of the log: heads and entries from anybody, believed of nobody; two logs are kept as evidence."""

from __future__ import annotations

import gzip
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from contracts.errors import CommonweightError, InvalidTree
from contracts.protocol.judge.errors import Differs
from contracts.tlog.bundles import parse_bundle
from contracts.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SigningKey
from contracts.tlog.mirror import UploadHeader
from contracts.tlog.note import NoteSignature, SignedNote
from contracts.tlog.tile_tree import check_tiles
from contracts.tlog.tiles import Tile
from contracts.tlog.witness import AddCheckpoint, InvalidMirrorMessage
from tests.alone import alone
from tests.holds import Threat, holds
from tests.verifier.mirror.killing import killed_at
from tests.verifier.mirror.world import LOG, OPERATOR, ORIGIN, Operator, cosigner, cosigner_key
from verifier.mirror.errors import (
    CheckpointRefused,
    HeadContradicts,
    NotHeld,
    SizeConflict,
    StoreUnusable,
    UnknownLog,
    UploadConflict,
)
from verifier.mirror.http.uploads import UploadResult, add_checkpoint, add_entries, gunzipped
from verifier.mirror.store import copy as copies
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.database import Database
from verifier.mirror.store.departures import EntryRefused
from verifier.mirror.store.evidence import Evidence, NoEvidence

pytestmark = pytest.mark.unit

SIZE = 600


@pytest.fixture
def operator() -> Operator:
    return Operator().grow(SIZE)


def open_copy(folder: Path, admit: Callable[[int], None] = lambda size: None) -> LogCopy:
    return LogCopy(folder, LOG, cosigner(), admit)


def upload(kept: LogCopy, body: bytes) -> UploadResult:
    return add_entries(kept, io.BytesIO(body).read)


def fill(kept: LogCopy, operator: Operator) -> UploadResult:
    pending = kept.pending()
    add_checkpoint(kept, operator.add_checkpoint(pending.checkpoint.size if pending else 0))
    return upload(kept, operator.upload(kept.size))


def fork(size: int = SIZE, same: int = 0) -> Operator:
    return Operator().grow(same).grow(size - same, "another")


def test_a_whole_upload_is_cosigned_and_served(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    done = fill(kept, operator)
    head = kept.head()
    assert head is not None
    assert head.checkpoint.size == SIZE
    assert open_checkpoint(head.note.format(), LOG).root == operator.tree.root(SIZE)
    assert verify_cosignature(head.note, cosigner_key()) == 1_700_000_000
    assert done.signatures[0] in head.note.signatures
    check_tiles(kept.tile, SIZE, head.checkpoint.root)
    assert parse_bundle(kept.tile(Tile(0, 2, 88, True)), 88) == operator.entries[512:]


def test_a_log_grows_from_head_to_head(tmp_path: Path) -> None:
    kept, operator = open_copy(tmp_path), Operator()
    for step in (1, 255, 300, 1):
        fill(kept, operator.grow(step))
        assert kept.signed == kept.size == operator.tree.size
    assert kept.entries(0, 557) == operator.entries


def test_an_empty_log_has_a_head(tmp_path: Path) -> None:
    kept = open_copy(tmp_path)
    assert kept.head() is None
    fill(kept, Operator())
    assert kept.signed == 0
    assert kept.head() is not None


def test_a_part_of_an_upload_is_kept_and_not_signed(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    done = upload(kept, operator.upload(packages=1))
    assert (done.signatures, done.info.size, done.info.next_entry) == ((), SIZE, 256)
    assert kept.head() is None
    assert upload(kept, operator.upload(256)).signatures


def test_an_upload_that_breaks_off_keeps_whole_packages(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    assert upload(kept, operator.upload()[:-10]).info.next_entry == 512
    assert kept.head() is None


def test_an_upload_without_a_whole_package_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    for body in (operator.upload()[:2000], operator.upload(packages=0), b"\0"):
        with pytest.raises(InvalidMirrorMessage):
            upload(kept, body)
    assert kept.size == 0


def test_entries_that_are_here_are_passed_over(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    operator.grow(10)
    add_checkpoint(kept, operator.add_checkpoint(SIZE))
    assert upload(kept, operator.upload(300)).signatures
    assert kept.entries(0, SIZE + 10) == operator.entries


@pytest.mark.parametrize("start", [1, 700], ids=["a gap", "beyond"])
def test_an_upload_with_a_gap_is_refused(tmp_path: Path, operator: Operator, start: int) -> None:
    kept = open_copy(tmp_path)
    operator.grow(200)
    add_checkpoint(kept, operator.add_checkpoint())
    with pytest.raises(UploadConflict) as refusal:
        upload(kept, operator.upload(start))
    assert (refusal.value.info.size, refusal.value.info.next_entry) == (SIZE + 200, 0)


def test_an_upload_to_an_unknown_head_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    with pytest.raises(UploadConflict) as refusal:
        upload(kept, operator.upload(0, 500))
    assert refusal.value.info.size == SIZE


def test_an_upload_behind_the_mirrors_head_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint(0, 300))
    add_checkpoint(kept, operator.add_checkpoint(300))
    upload(kept, operator.upload())
    with pytest.raises(UploadConflict):
        upload(kept, operator.upload(0, 300))
    assert kept.signed == SIZE


def test_one_changed_entry_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    with pytest.raises(InvalidTree):
        upload(kept, operator.upload().replace(b"entry 300", b"entry 30X"))
    assert kept.size == 256, "what was proven before it stays"
    assert kept.head() is None


def test_another_log_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    root = operator.tree.root(SIZE)
    other = sign_checkpoint(Checkpoint("another.example", SIZE, root), OPERATOR)
    with pytest.raises(UnknownLog):
        add_checkpoint(kept, AddCheckpoint(0, (), other))
    with pytest.raises(UnknownLog):
        upload(kept, UploadHeader("another.example", 0, 0).format())


@pytest.mark.parametrize("key", [SigningKey(b"\x08" * 32), None], ids=["another key", "spoilt"])
def test_a_head_that_the_operator_did_not_sign_is_refused(
    tmp_path: Path, operator: Operator, key: SigningKey | None
) -> None:
    kept, right = open_copy(tmp_path), operator.head()
    note = sign_checkpoint(Checkpoint(ORIGIN, SIZE, operator.tree.root(SIZE)), key or OPERATOR)
    if key is None:
        spoilt = NoteSignature(ORIGIN, right.signatures[0].key_id, b"\1" * 64)
        note = SignedNote(right.text, (spoilt,))
    with pytest.raises(CheckpointRefused):
        add_checkpoint(kept, AddCheckpoint(0, (), note))
    assert kept.pending() is None


def test_lines_of_strangers_are_not_kept(tmp_path: Path, operator: Operator) -> None:
    kept, note = open_copy(tmp_path), operator.head()
    junk = NoteSignature("stranger", b"\1" * 4, b"\2" * 1000)
    add_checkpoint(kept, AddCheckpoint(0, (), note.adding(junk)))
    pending = kept.pending()
    assert pending is not None
    assert pending.note == note


def test_a_head_from_another_size_is_told_the_size(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint(0, 300))
    with pytest.raises(SizeConflict) as refusal:
        add_checkpoint(kept, operator.add_checkpoint(200))
    assert refusal.value.size == 300


def test_a_head_that_does_not_follow_is_refused(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint(0, 300))
    right = operator.add_checkpoint(300)
    wrong = replace(right, proof=(b"\0" * 32, *right.proof[1:]))
    with pytest.raises(InvalidTree):
        add_checkpoint(kept, wrong)
    pending = kept.pending()
    assert pending is not None
    assert pending.checkpoint.size == 300


@holds(
    "Two logs under one signature are evidence",
    by="verifier/mirror/store/copy.py:LogCopy",
    against=Threat.REWRITTEN_LOG,
)
@pytest.mark.parametrize("size", [SIZE, 300], ids=["of one size", "of a smaller size"])
def test_two_logs_under_one_signature_are_evidence(tmp_path: Path, operator: Operator, size: int) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    for _ in range(2):
        with pytest.raises(HeadContradicts):
            add_checkpoint(kept, AddCheckpoint(0, (), fork(size).head()))
    (found,) = kept.evidence.all()
    found.check(LOG)
    assert kept.signed == SIZE
    kept.close()
    assert open_copy(tmp_path).evidence.all() == (found,)


def test_two_pending_heads_of_one_size_are_evidence(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    with pytest.raises(HeadContradicts):
        add_checkpoint(kept, AddCheckpoint(SIZE, (), fork().head()))
    assert len(kept.evidence.all()) == 1


def test_heads_of_one_log_are_no_evidence(operator: Operator) -> None:
    small, large = operator.head(300), operator.head()
    proof = tuple(operator.tree.stored.consistency_proof(300, SIZE))
    claimed = Evidence(small.format(), large.format(), operator.tree.root(300), proof)
    with pytest.raises(NoEvidence):
        claimed.check(LOG)
    with pytest.raises(InvalidTree):
        replace(claimed, prefix=b"\1" * 32).check(LOG)


def test_evidence_is_bounded(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    for size in range(1, 25):
        with pytest.raises(HeadContradicts):
            kept.check_head(kept.verified(fork(size).head()))
    assert len(kept.evidence.all()) == 16


def test_a_log_that_the_machine_has_not_read_is_not_signed(tmp_path: Path, operator: Operator) -> None:
    """And no more of it is kept than what it was asked of."""
    operator.grow(300)

    def waits(size: int) -> None:
        if size:
            raise CommonweightError("the chain node is behind")

    kept = open_copy(tmp_path, waits)
    add_checkpoint(kept, operator.add_checkpoint())
    for start in (0, 256, 256):
        with pytest.raises(CommonweightError):
            upload(kept, operator.upload(start))
        assert (kept.head(), kept.size) == (None, 256)


def test_refused_uploaded_entries_are_dropped_with_their_heads(tmp_path: Path, operator: Operator) -> None:
    def refuses(size: int) -> None:
        if size > 100 and kept.entries(100, 101) != operator.entries[100:101]:
            raise Differs(100, "is not what follows")

    kept = open_copy(tmp_path, refuses)
    lie = fork(SIZE, 100)
    add_checkpoint(kept, lie.add_checkpoint(0, 50))
    add_checkpoint(kept, lie.add_checkpoint(50))
    with pytest.raises(EntryRefused):
        upload(kept, lie.upload())
    assert (kept.size, kept.pending_at(SIZE), kept.pending_at(50) is None) == (100, None, False)
    with pytest.raises(EntryRefused):
        add_checkpoint(kept, lie.add_checkpoint(50))
    add_checkpoint(kept, operator.add_checkpoint(50))
    assert upload(kept, operator.upload(100)).signatures


def test_pending_heads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operator: Operator) -> None:
    monkeypatch.setattr(copies, "PENDING", 2)
    kept = open_copy(tmp_path)
    for old, size in ((0, 100), (100, 200), (200, 300)):
        add_checkpoint(kept, operator.add_checkpoint(old, size))
    assert kept.pending_at(100) is None
    assert kept.pending_at(200) is not None


@pytest.mark.parametrize("tile", [Tile(0, 2), Tile(0, 3, 1), Tile(0, 2, 89, True), Tile(1, 0, 3)])
def test_a_tile_beyond_the_copy_is_not_held(tmp_path: Path, operator: Operator, tile: Tile) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    with pytest.raises(NotHeld):
        kept.tile(tile)


def test_a_restart_keeps_entries_and_heads(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    head = kept.head()
    kept.close()
    again = open_copy(tmp_path)
    assert again.head() == head
    fill(again, operator.grow(5))
    assert again.signed == SIZE + 5


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET body = x'78' WHERE place = 5",
        "UPDATE entry SET body = 'x'",
        "DELETE FROM entry WHERE place = 5",
        "DELETE FROM entry",
    ],
    ids=["changed", "text", "missing", "none"],
)
def test_a_spoilt_copy_is_not_served(tmp_path: Path, operator: Operator, change: str) -> None:
    kept = open_copy(tmp_path)
    fill(kept, operator)
    kept.close()
    with Database(tmp_path / "log.db", "").write() as tables:
        tables.execute(change)
    with pytest.raises(StoreUnusable):
        open_copy(tmp_path)


def test_a_compressed_upload_is_taken(tmp_path: Path, operator: Operator) -> None:
    kept = open_copy(tmp_path)
    add_checkpoint(kept, operator.add_checkpoint())
    packed = gunzipped(io.BytesIO(gzip.compress(operator.upload())).read)
    assert add_entries(kept, packed).signatures


def test_what_is_no_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidMirrorMessage):
        add_entries(open_copy(tmp_path), gunzipped(io.BytesIO(b"not gzip").read))


def test_a_bomb_gives_no_more_than_is_asked_for() -> None:
    take = gunzipped(io.BytesIO(gzip.compress(bytes(10**7))).read)
    assert take(1000) == bytes(1000)


@alone
def test_a_kill_leaves_a_copy_that_holds(tmp_path: Path) -> None:
    """At each fourth line of an upload."""
    operator = Operator().grow(3)
    kept = open_copy(tmp_path / "start")
    fill(kept, operator)
    kept.close()
    operator.grow(2)
    for line in count(0, 4):
        folder = tmp_path / str(line)
        shutil.copytree(tmp_path / "start", folder)

        def prepare(folder: Path = folder) -> Callable[[], None]:
            again = open_copy(folder)
            return lambda: _said(fill(again, operator), folder)

        killed = killed_at(line, prepare, ("store/copy.py", "store/database.py"))
        found = open_copy(folder)
        assert found.signed in (3, 5)
        assert found.signed == 5 or not (folder / "said").exists()
        if found.signed == 3:
            upload(found, operator.upload(found.size)) if found.pending_at(5) else fill(found, operator)
        assert found.signed == 5
        found.close()
        if not killed:
            break
    assert line > 40, "the lines of an upload were tried"


def _said(done: UploadResult, folder: Path) -> None:
    assert done.signatures
    (folder / "said").touch()
