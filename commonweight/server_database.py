"""The database of commands that create none: it has to be there, and to be that of the named model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commonweight.terminal.options import database_address

if TYPE_CHECKING:
    from ledger.storage.store import Store


def existing_database(folder: Path, database_url: str, deployment: Path | None) -> Store:
    """Raises DatabaseMissing, and DatabaseForeign where it is not that deployment's."""
    from contracts.chain.deployment import Deployment
    from ledger.identity import require_own
    from ledger.storage.store import Store

    store = Store(database_address(folder, database_url), makes=False)
    if deployment is not None:
        require_own(store, Deployment.of_file(deployment), makes=False)
    return store
