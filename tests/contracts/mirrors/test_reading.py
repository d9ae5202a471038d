"""Tiles from anywhere: what does not hash to the signed head is not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.mirrors.places import FolderPlace, LogUnreadable, open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.note import NoteNotSigned
from contracts.tlog.policy import NONE, Policy, PolicyLog
from contracts.tlog.tiles import InvalidTile
from tests.contracts.protocol.log.signed_run import key
from tests.verifier.log.files import OPERATOR, write_log

pytestmark = pytest.mark.unit

LEAVES = [f'{{"leaf":{number}}}' for number in range(600)]
LOG = OPERATOR.public


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_log(tmp_path / "log", LEAVES)


def reader_of(folder: Path) -> LogReader:
    return LogReader(open_place(str(folder), LOG), LOG)


def test_every_entry_comes_once_in_order_from_any_index(folder: Path) -> None:
    reader = reader_of(folder)
    assert [entry.decode() for entry in reader.entries()] == LEAVES
    assert [entry.decode() for entry in reader.entries(300)] == LEAVES[300:]
    assert reader.entry(599).decode() == LEAVES[599]
    with pytest.raises(InvalidTile, match="no entry 600"):
        reader.entry(600)


def test_each_entry_is_proven_under_the_head(folder: Path) -> None:
    reader, policy = reader_of(folder), Policy((PolicyLog(LOG),), (), (), NONE)
    for index in (0, 255, 256, 599):
        proof = reader.prove(index)
        assert proof.check(LEAVES[index].encode(), policy).checkpoint.size == 600


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001"])
def test_a_file_with_another_byte_is_refused(folder: Path, path: str) -> None:
    data = bytearray((folder / path).read_bytes())
    data[7] ^= 1
    (folder / path).write_bytes(data)
    with pytest.raises(InvalidTile):
        list(reader_of(folder).entries())


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "tile/entries/001").unlink()
    with pytest.raises(LogUnreadable, match="tile/entries/001"):
        list(reader_of(folder).entries())
    with pytest.raises(LogUnreadable, match="checkpoint"):
        FolderPlace(folder / "nowhere").checkpoint()


def test_a_head_of_another_key_is_refused(tmp_path: Path) -> None:
    stranger = LogSigner(OPERATOR.name, LogSigner.of(bytes(key("stranger").key)).key)
    with pytest.raises(NoteNotSigned):
        reader_of(write_log(tmp_path, LEAVES[:3], stranger))


def test_no_more_tiles_are_kept_than_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.tlog.tile_tree.KEPT", 1)
    reader = reader_of(folder)
    assert sum(1 for _ in reader.entries()) == 600
    assert len(reader._tiles._full) == 1
    assert len(reader._last[1]) <= 256
