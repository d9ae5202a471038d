"""A file that is written whole, or not at all."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from fcntl import flock
from pathlib import Path

import pytest

from contracts.files import whole_file
from contracts.files.whole_file import DiskFull, PartialFile, create_file, replace_file, save_file, sweep
from tests.small_disk import contents, fill, on_small_disk
from tests.sources import ROOT

pytestmark = pytest.mark.unit


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_and_as_readable_as_any_other(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"")
    for data in (b"one", b"two"):
        replace_file(path, data)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    assert names(tmp_path) == ["file", "other"]


def test_a_file_of_ones_own_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_file(path, b"one", 0o600)
    with pytest.raises(FileExistsError):
        create_file(path, b"two", 0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), names(tmp_path)) == (b"one", 0o600, ["secret"])


def test_bytes_are_on_the_disk_before_they_have_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen, fsync = tmp_path / "file", list[tuple[str, bool]](), os.fsync

    def synced(handle: int) -> None:
        seen.append((Path(os.readlink(f"/proc/self/fd/{handle}")).suffix, path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    replace_file(path, b"bytes")
    assert seen == [(".part", False), ("", True)], "the part, then the folder that has the name"


@on_small_disk(2**20)
def test_a_disk_that_is_full_keeps_the_old_file_and_nothing_else(disk: Path) -> None:
    replace_file(disk / "file", b"old")
    filler = fill(disk, left=300_000)
    before, room = contents(disk), os.statvfs(disk).f_bavail
    for write in (replace_file, create_file):
        with pytest.raises(DiskFull) as refusal:
            write(disk / ("file" if write is replace_file else "new"), b"x" * 400_000)
        assert (refusal.value.code, refusal.value.status) == ("disk-full", 507)
    assert (contents(disk), os.statvfs(disk).f_bavail) == (before, room)
    assert (disk / "file").read_bytes() == b"old"
    filler.unlink()
    replace_file(disk / "file", b"x" * 400_000)


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    """A process of its own under a limit of the system's, as `ulimit -f` and a quota are."""
    script = (
        "import sys, resource; from pathlib import Path\n"
        "from contracts.files.whole_file import DiskFull, replace_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: replace_file(Path(sys.argv[1]), b'x' * 20_000)\n"
        "except DiskFull: sys.exit(7)\n"
    )
    assert resource.RLIMIT_FSIZE
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "file")], cwd=ROOT)
    assert (done.returncode, names(tmp_path)) == (7, [])


def test_a_killed_writers_file_is_swept_and_a_written_one_stays(tmp_path: Path) -> None:
    """The writer is killed by the system in the middle of its file."""
    script = (
        "import os, signal, sys; from pathlib import Path; from contracts.files.whole_file import PartialFile\n"
        "part = PartialFile(Path(sys.argv[1]), 'file'); part.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    with PartialFile(tmp_path, "file") as part:
        part.write(b"ours")
        sweep(tmp_path)
        assert names(tmp_path) == [part.path.name]
        part.become(tmp_path / "file")
    assert (names(tmp_path), (tmp_path / "file").read_bytes()) == (["file"], b"ours")


def test_where_nothing_can_be_locked_age_tells_what_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(whole_file, "flock", unsupported)
    old, young = tmp_path / f"file.{'ab' * 6}.part", tmp_path / f"file.{'cd' * 6}.part"
    others = tmp_path / "download.part"
    for left in (old, young, others):
        left.write_bytes(b"half")
    os.utime(others, (1, 1))
    ago = old.stat().st_mtime - whole_file.STALE_SECONDS - 1
    os.utime(old, (ago, ago))
    sweep(tmp_path)
    assert names(tmp_path) == ["download.part", young.name]


def test_a_part_that_was_swept_before_its_lock_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, made = flock, list[str]()

    def late(handle: int, operation: int) -> None:
        if not made:
            made.extend(names(tmp_path))
            (tmp_path / made[0]).unlink()
        lock(handle, operation)

    monkeypatch.setattr(whole_file, "flock", late)
    with PartialFile(tmp_path, "file") as part:
        assert (names(tmp_path) == [part.path.name], part.path.name != made[0]) == (True, True)


def test_what_is_saved_goes_through_links_and_into_pipes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    save_file(tmp_path / "link", "text")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_text()) == (True, "text")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    save_file(tmp_path / "pipe", "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
