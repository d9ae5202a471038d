"""Content-addressed files."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from ledger.errors import BlobMismatch, NotFound
from ledger.storage.blobs import BlobFolder
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


def test_bytes_come_back_under_their_digest(folder: BlobFolder, tmp_path: Path) -> None:
    name = folder.put(b"state")
    assert name == blake3(b"state").hexdigest()
    assert folder.put(b"state", name) == name
    assert (folder.get(name), [p.name for p in (tmp_path / "blobs").iterdir()]) == (b"state", [name])


@holds("A blob is stored only under its own hash", by="ledger/storage/blobs.py:BlobFolder.put", against=Threat.CRASH)
def test_other_bytes_are_not_kept(folder: BlobFolder, tmp_path: Path) -> None:
    with pytest.raises(BlobMismatch):
        folder.put(b"state", blake3(b"other").hexdigest())
    assert not list((tmp_path / "blobs").iterdir())


@pytest.mark.parametrize("name", ["", "ab" * 32, "../ledger.db", "ab" * 31 + "/.", "AB" * 32])
def test_what_is_no_stored_name_is_not_found(folder: BlobFolder, name: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"secret")
    with pytest.raises(NotFound):
        folder.path(name)
