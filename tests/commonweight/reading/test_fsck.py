"""`commonweight fsck` over the database of a real run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlmodel import select

from commonweight.terminal.options import database_address
from ledger.storage.store import Store
from ledger.storage.tables import Transfer
from tests.commonweight.conftest import Command
from tests.commonweight.reading.town import Town
from tests.ledger.fsck.vandal import unguarded

pytestmark = pytest.mark.integration


def test_a_sound_database_holds_and_a_changed_row_is_named(place: Town, commonweight: Command, tmp_path: Path) -> None:
    chain = ("--deployment", place.deployment, "--rpc-url", place.stage.rpc)
    said = commonweight("fsck", *chain, "--folder", place.stage.folder)
    assert said.status == 0, said.err
    assert said.out.split() == [
        word for part in ("rows", "tree", "journal", "views", "chain", "governance") for word in (part, "holds")
    ]
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in place.stage.folder.glob("ledger.db*"):
        shutil.copy(file, folder)
    with unguarded(Store(database_address(folder, ""))) as session:
        row = session.exec(select(Transfer).where(Transfer.book == "units")).first()
        assert row is not None
        row.amount, key = row.amount + 1, row.id
        session.add(row)
    said = commonweight("fsck", *chain, "--folder", folder, "--json")
    assert (said.status, said.complaint["error"]) == (1, "fsck-failed")
    assert ("transfer", key) in {(f["table"], f["key"]) for f in json.loads(said.out)["findings"]}
