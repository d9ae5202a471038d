"""A server opens on the log that its deployment names, and on no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from api.app import create_app
from api.settings import ServerSettings
from ledger.chain import ModelChain
from ledger.opening import OtherLog, open_ledger
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from tests.deployed import key_of
from tests.ledger.served_run import Served

pytestmark = pytest.mark.integration


def test_a_deployment_that_names_no_log_is_refused(store: Store, tmp_path: Path) -> None:
    served = Served()
    chain = ModelChain(served.w3, replace(served.deployment, log=""))
    with pytest.raises(OtherLog, match="log-key"):
        open_ledger(store, BlobFolder(tmp_path / "blobs"), chain, key_of("operator"))


@pytest.mark.parametrize("operator", ["operator", "somebody else"])
def test_only_the_logs_own_operator_serves_it(tmp_path: Path, database: str, operator: str) -> None:
    """Whoever only looks at the database (fsck) needs no key of the log."""
    deployment = tmp_path / "deployment.json"
    deployment.write_text(Served().deployment.to_json())
    key = key_of(operator).key.hex()
    settings = ServerSettings(
        rpc_url="http://127.0.0.1:9",
        deployment=deployment,
        operator_key=key,
        database_url=database,
        blobs=tmp_path / "blobs",
        keeper=False,
    )
    if operator == "operator":
        assert create_app(settings).state.ledger.operator == key_of(operator)
    else:
        with pytest.raises(OtherLog, match="this operator's key signs"):
            create_app(settings)
