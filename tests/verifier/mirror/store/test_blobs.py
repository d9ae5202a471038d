"""Blobs of a mirror: announced ones alone, whole and right or not at all, within their author's share."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.files.whole_file import DiskFull
from contracts.ids import RunId, as_address
from contracts.messages import for_log as messages
from contracts.mirrors.slots import Sender
from tests.alone import alone
from tests.lock_order import elsewhere
from tests.verifier.mirror.killing import killed_at
from tests.verifier.mirror.world import NODE, RUN, RUN_ID, blob
from verifier.mirror.errors import (
    BlobTooLarge,
    MirrorRefused,
    NotAnnounced,
    NotHeld,
    QuotaSpent,
    StoreUnusable,
    WrongBytes,
)
from verifier.mirror.store.announced import Announcement, BlobKind, BlobOrigin, OuterSizes, announced_by, blob_name
from verifier.mirror.store.blobs import BlobStore

pytestmark = pytest.mark.unit

DATA = bytes(range(256)) * 40
NAME = blake3(DATA).hexdigest()


def store(folder: Path, budget: int = 10**6) -> BlobStore:
    return BlobStore(folder, lambda key: budget)


def put(kept: BlobStore, data: bytes, name: str = NAME, length: int | None = None) -> None:
    with kept.receive(name, length) as receiving:
        for start in range(0, len(data), 1000):
            receiving.write(data[start : start + 1000])
        receiving.finish()


def files(folder: Path) -> list[str]:
    return sorted(path.name for part in ("held", "coming") for path in (folder / part).iterdir())


def test_an_announced_blob_is_taken_and_read(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    assert kept.missing() == [NAME]
    put(kept, DATA, length=len(DATA))
    assert kept.read("0x" + NAME) == DATA
    assert kept.missing() == []


def test_a_blob_that_nobody_announced_is_refused(tmp_path: Path) -> None:
    kept = store(tmp_path)
    with pytest.raises(NotAnnounced):
        put(kept, DATA)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "length", "refusal"),
    [
        (DATA[:-1] + b"x", None, WrongBytes),
        (DATA[:-1], None, WrongBytes),
        (b"", None, WrongBytes),
        (DATA + b"x", None, BlobTooLarge),
        (DATA, len(DATA) + 1, BlobTooLarge),
        (DATA, len(DATA) - 1, WrongBytes),
    ],
    ids=["other", "short", "none", "long", "announced longer", "announced shorter"],
)
def test_wrong_bytes_leave_nothing(
    tmp_path: Path, data: bytes, length: int | None, refusal: type[MirrorRefused]
) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    with pytest.raises(refusal):
        put(kept, data, length=length)
    assert files(tmp_path) == []


def test_more_bytes_than_announced_stop_at_once(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    with kept.receive(NAME) as receiving, pytest.raises(BlobTooLarge):
        receiving.write(b"x" * (len(DATA) + 1))
    assert files(tmp_path) == []


def test_a_false_size_of_another_keeps_no_blob_out(tmp_path: Path) -> None:
    """Whoever announces somebody else's digest with another size widens the bound, and nothing else."""
    kept = store(tmp_path)
    kept.announce(blob(DATA, as_address("thief"), size=5))
    kept.announce(blob(DATA))
    put(kept, DATA)
    assert kept.has(NAME)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))

    def full(handle: int) -> None:
        raise OSError(number, "no room")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull) as refusal:
        put(kept, DATA)
    assert refusal.value.status == 507
    assert files(tmp_path) == []


def test_a_key_has_its_share_and_no_more(tmp_path: Path) -> None:
    kept = store(tmp_path, budget=15_000)
    kept.announce(blob(DATA))
    kept.announce(blob(DATA))
    with pytest.raises(QuotaSpent):
        kept.announce(blob(b"y" * 5_000))
    kept.announce(blob(b"y" * 5_000, as_address("another")))
    kept.forget(RUN_ID, 1)
    kept.announce(blob(b"y" * 5_000))


def test_a_final_epoch_deletes_what_it_needed(tmp_path: Path) -> None:
    kept = store(tmp_path)
    late = b"late" * 100
    for data, number in ((DATA, 1), (late, 2)):
        kept.announce(blob(data, round_number=number))
        put(kept, data, blake3(data).hexdigest())
    kept.forget(RUN_ID, 1)
    assert files(tmp_path) == [blake3(late).hexdigest()]
    with pytest.raises(NotAnnounced):
        put(kept, DATA)


def test_a_blob_of_two_rounds_stays_until_the_last(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA, round_number=1))
    kept.announce(blob(DATA, round_number=3))
    put(kept, DATA)
    kept.forget(RUN_ID, 2)
    assert kept.has(NAME)
    kept.forget(RUN_ID, 3)
    assert not kept.has(NAME)


def test_what_is_forgotten_while_it_comes_is_not_kept(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    with kept.receive(NAME) as receiving:
        receiving.write(DATA)
        kept.forget(RUN_ID, 1)
        with pytest.raises(NotAnnounced):
            receiving.finish()
    assert files(tmp_path) == []


def test_what_this_verifier_fetches_waits_for_nobody(tmp_path: Path) -> None:
    """However much comes in: places are for strangers' uploads (tests/verifier/mirror/http/test_slots.py)."""
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    with ExitStack() as coming:
        for _ in range(100):
            coming.enter_context(kept.receive(NAME))
        put(kept, DATA)
    assert kept.read(NAME) == DATA


def test_a_subject_has_one_blob_at_a_time(tmp_path: Path) -> None:
    """What it had counts no more, and its file goes."""
    kept = store(tmp_path, budget=len(DATA))
    kept.announce(replace(blob(DATA), subject="gradient"))
    put(kept, DATA)
    other = replace(blob(DATA[::-1]), subject="gradient")
    kept.announce(other)
    assert (kept.missing(), kept.has(NAME), kept.announced_bytes(other.place)) == ([other.digest], False, len(DATA))
    kept.announce(replace(blob(DATA, round_number=2), subject="gradient"))
    assert kept.missing() == [other.digest, NAME], "another round has room of its own"
    with pytest.raises(QuotaSpent):
        kept.announce(blob(DATA[1:]))


def test_each_announcer_of_a_digest_sends_it_at_its_best_terms(tmp_path: Path) -> None:
    a, b = as_address("a"), as_address("b")
    rates = {RUN_ID: 9, "other run": 5}
    kept = BlobStore(tmp_path, lambda key: 10**6, lambda key, run: Sender(key, (key, run) == ("a", RUN_ID), rates[run]))
    for key, run in ((a, RUN_ID), (a, RunId("other run")), (b, RUN_ID)):
        kept.announce(replace(blob(DATA), place=BlobOrigin(key, run, 1)))
    assert kept.senders(NAME) == {"a": Sender("a", True, 5), "b": Sender("b", False, 9)}
    with pytest.raises(NotAnnounced):
        kept.senders("1" * 64)


def test_a_spoilt_blob_is_dropped_when_it_is_used(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    put(kept, DATA)
    (tmp_path / "held" / NAME).write_bytes(b"x" + DATA[1:])
    with pytest.raises(StoreUnusable):
        kept.read(NAME)
    assert kept.missing() == [NAME]


@pytest.mark.parametrize("name", ["", "..", "../held", "0x", NAME[:-1], NAME.upper(), NAME + "0"])
def test_what_names_no_blob_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotHeld):
        store(tmp_path).open(name)


def test_a_restart_keeps_blobs_and_announcements(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.announce(blob(DATA))
    put(kept, DATA)
    (tmp_path / "coming" / "half").write_bytes(b"half")
    (tmp_path / "held" / ("0" * 64)).write_bytes(b"nobody announced it")
    assert store(tmp_path).read(NAME) == DATA
    assert files(tmp_path) == [NAME]


@alone
def test_a_kill_at_any_line_leaves_no_half_blob(tmp_path: Path) -> None:
    data = DATA[:1500]
    name = blake3(data).hexdigest()
    kept = store(tmp_path / "start")
    kept.announce(blob(data))
    kept.close()
    for line in count():
        folder = tmp_path / str(line)
        shutil.copytree(tmp_path / "start", folder)

        def prepare(folder: Path = folder) -> Callable[[], None]:
            return partial(put, store(folder), data, name)

        killed = killed_at(line, prepare, ("store/blobs.py", "blob_files.py", "whole_file.py"))
        again = store(folder)
        assert again.missing() == [name] or again.read(name) == data
        assert files(folder) in ([], [name])
        if not killed:
            break
    assert line > 60, "the lines of a taking were tried"


def test_messages_announce_their_blobs() -> None:
    place, outer = BlobOrigin(NODE.address, RUN_ID, 3), OuterSizes(70, 80)
    opening = messages.StateOpening(RUN, 1, RUN, RUN, b"\5" * 32, 9)
    merge = messages.Merge(RUN, 3, NODE.address, RUN, RUN, RUN, b"\6" * 32, b"\7" * 32, 0)
    assert announced_by(opening, place, outer) == (Announcement("05" * 32, BlobKind.STATE, 9, place, "state 1"),)
    assert [(b.digest, b.kind, b.size) for b in announced_by(merge, place, outer)] == [
        ("06" * 32, BlobKind.WEIGHTS, 70),
        ("07" * 32, BlobKind.MOMENTUM, 80),
    ]
    assert announced_by(messages.Leave(RUN, NODE.address, 1), place, outer) == ()
    assert blob_name("0x" + NAME) == NAME


def test_the_machine_is_asked_while_the_store_is_free(tmp_path: Path) -> None:
    free: list[bool] = []

    def budget(_place: BlobOrigin) -> int:
        free.append(elsewhere(lambda: kept.missing()))
        return 10**6

    kept = BlobStore(tmp_path, budget)
    kept.announce(blob(DATA))
    assert set(free) == {True}


def test_bytes_get_their_name_without_a_look_for_news(tmp_path: Path) -> None:
    """Who looks for news holds another lock, under which it may be tidying this store."""
    free: list[bool] = []

    class LooksForNews(BlobStore):
        def sizes(self, digest: str) -> frozenset[int]:
            free.append(elsewhere(lambda: self.forget(RunId("another run"), 0)))
            return super().sizes(digest)

    kept = LooksForNews(tmp_path, lambda _: 10**6)
    kept.announce(blob(DATA))
    put(kept, DATA)
    assert set(free) == {True}
    assert kept.has(NAME)
