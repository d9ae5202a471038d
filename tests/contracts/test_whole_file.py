"""A file that is written whole, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from contracts import whole_file
from contracts.whole_file import replace_file

pytestmark = pytest.mark.unit


def test_a_file_is_replaced_and_as_readable_as_any_other(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"")
    for data in (b"one", b"two"):
        replace_file(path, data)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_what_fails_leaves_the_old_file_and_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"new")
    assert [name.name for name in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_what_a_killed_writer_left_goes_after_a_while(tmp_path: Path) -> None:
    old, young = tmp_path / "file.abc.part", tmp_path / "file.def.part"
    for left in (old, young):
        left.write_bytes(b"half")
    ago = old.stat().st_mtime - whole_file.STALE_SECONDS - 1
    os.utime(old, (ago, ago))
    replace_file(tmp_path / "file", b"whole")
    assert sorted(name.name for name in tmp_path.iterdir()) == ["file", "file.def.part"]
