"""A folder of blobs: a name is a promise about the bytes, looked at whenever they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.files.blob_files import BlobFiles
from contracts.files.whole_file import STALE_SECONDS, DiskFull
from tests.small_disk import contents, fill, on_small_disk

pytestmark = pytest.mark.unit
DATA = bytes(range(256)) * 20
NAME = blake3(DATA).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    made = BlobFiles(tmp_path / "blobs")
    made.start()
    return made


def test_bytes_come_back_under_their_digest(files: BlobFiles) -> None:
    assert (files.put(DATA), files.put(DATA), files.names()) == (NAME, NAME, [NAME])
    assert (files.read(NAME), files.has(NAME), files.is_sound(NAME)) == (DATA, True, True)
    files.remove(NAME)
    assert (files.read(NAME), files.has(NAME), files.is_sound(NAME)) == (None, False, False)


SPOILT = {"cut": DATA[:-1], "empty": b"", "flipped": b"\1" + DATA[1:], "longer": DATA + b"!"}


@pytest.mark.parametrize("left", SPOILT.values(), ids=SPOILT)
def test_what_the_disk_spoilt_is_never_given_and_comes_again(files: BlobFiles, left: bytes) -> None:
    """As a power cut leaves it, and as a disk does later: after a look, too."""
    files.put(DATA)
    assert files.is_sound(NAME)
    (files.folder / NAME).write_bytes(left)
    os.utime(files.folder / NAME, ns=(1, 1))
    assert not files.is_sound(NAME)
    assert files.names() == []
    files.put(DATA)
    (files.folder / NAME).write_bytes(left)
    assert files.read(NAME) is None
    files.put(DATA)
    assert files.read(NAME) == DATA


def test_another_process_sees_a_spoilt_file_at_its_first_look(files: BlobFiles) -> None:
    files.put(DATA)
    (files.folder / NAME).write_bytes(DATA[:-1])
    again = BlobFiles(files.folder)
    assert not again.is_sound(NAME)
    again.put(DATA)
    assert files.read(NAME) == DATA


def test_a_start_sweeps_files_of_killed_and_older_processes(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    folder.mkdir()
    for name in ("blob.0123456789ab.part", "tmp12ab_xyz", "tmpnew_file", "notes.txt"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / "tmp12ab_xyz", (1, 1))
    assert STALE_SECONDS > 60
    BlobFiles(folder).start()
    assert sorted(os.listdir(folder)) == ["notes.txt", "tmpnew_file"]


def arrive(files: BlobFiles, data: bytes) -> None:
    with files.arriving() as arriving:
        for start in range(0, len(data), 10_000):
            arriving.write(data[start : start + 10_000])
        arriving.stay(files.folder)


@pytest.mark.parametrize("name", ["", "..", "../secret", NAME[:-1], NAME.upper(), NAME + "0"])
def test_what_names_no_blob_is_not_here(files: BlobFiles, name: str) -> None:
    (files.folder.parent / "secret").write_bytes(b"secret")
    assert not files.has(name)
    assert not files.is_sound(name)


@on_small_disk(2**20)
def test_a_full_disk_keeps_no_byte_of_what_does_not_fit(disk: Path) -> None:
    files = BlobFiles(disk / "blobs")
    files.start()
    name, large = files.put(DATA), b"x" * 400_000
    filler = fill(disk, left=200_000)
    before, room = contents(disk), os.statvfs(disk).f_bavail
    for _ in range(5):
        with pytest.raises(DiskFull):
            arrive(files, large)
    assert (contents(disk), os.statvfs(disk).f_bavail) == (before, room)
    assert files.read(name) == DATA
    filler.unlink()
    assert files.read(files.put(large)) == large
