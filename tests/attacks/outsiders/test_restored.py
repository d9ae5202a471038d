"""A database from yesterday: its server takes the log back before it answers, and the chain's word stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from contracts.mirrors.places import FolderPlace
from contracts.protocol.log.operator import LogSigner
from ledger.public_log.restoring import LogEndLost, take_back
from tests.attacks.outsiders.script import Script, script
from tests.holds import Threat, holds
from tests.ledger.service import leaves, rows
from tests.verifier.log.files import write_log

pytestmark = pytest.mark.integration


def half(run: Script, folder: Path) -> int:
    """A copy of the database in the middle of a round; what was signed up to it."""
    for proof in run.begin():
        run.honest_end(proof)
    for file in folder.glob("ledger.db*"):
        shutil.copy(file, folder / file.name.replace("ledger", "yesterday"))
    return len(run.signed)


def finish(run: Script) -> Any:
    """The round's epoch, final on the chain."""
    run.merge()
    run.make_final()
    (epoch,) = run.client.get("/v1/epochs").json()
    assert epoch["state"] == "final"
    return epoch


@holds(
    "A restored server takes its log back before it answers, or does not start",
    by="ledger/public_log/restoring.py:restore",
    against=Threat.SILENT_SERVER,
)
def test_a_restored_database_is_served_when_it_is_whole_again(tmp_path: Path) -> None:
    """X1: else it would go on with a second log, which no verifier signs."""
    with script(tmp_path, nodes=1) as run:
        half(run, tmp_path)
        before, service = finish(run), run.service
        with service.ledger.store.read() as session:
            texts = leaves(session)
        whole = rows(service.ledger.store)
        signer = LogSigner.of(bytes(service.operator.key))
        assert run.client.get("/log/checkpoint").status_code == 200
        service.ledger = service.open(tmp_path / "yesterday.db")
        with pytest.raises(LogEndLost), TestClient(service.app()):
            pass
        taken = take_back(service.ledger, [FolderPlace(write_log(tmp_path / "mirror", texts, signer))])
        assert taken.answered == 1
        with TestClient(service.app()) as client:
            service.settle()
            (after,) = client.get("/v1/epochs").json()
            assert (after["root"], after["state"]) == (before["root"], "final")
        now = rows(service.ledger.store)
        for table in ("logentry", "transfer", "resolution", "payout", "closing", "announced"):
            assert now[table] == whole[table], table


def test_an_epoch_final_on_the_chain_is_final_in_a_cut_log(tmp_path: Path) -> None:
    """X1: the disk is from yesterday too, and no mirror is left: the same messages lead to the same root."""
    with script(tmp_path, nodes=1) as run:
        said = half(run, tmp_path)
        before, service = finish(run), run.service
        shutil.rmtree(tmp_path / "log")
        service.ledger = service.open(tmp_path / "yesterday.db")
        lost = pytest.raises(LogEndLost, match=r"the chain has epoch 1, which never closed in this log")
        with lost, TestClient(service.app()):
            pass
        with TestClient(service.app(accept_lost_end=True)) as client:
            assert client.get("/v1/epochs").json() == []
            missing = client.get("/v1/network").json()["unseen"]
            assert missing["epochs"] == [1]
            assert missing["signed_over"] > missing["entries"] > 0
            assert "docs/restore.md" in missing["detail"]
            service.tick()
            run.client = client
            for envelope in run.signed[said:]:
                assert run.offer(envelope).status_code == 200
            for _ in range(4):
                service.tick()
                service.settle()
            (after,) = client.get("/v1/epochs").json()
            assert (after["root"], after["state"]) == (before["root"], "final")
            assert client.get("/v1/network").json()["unseen"] is None
