"""The identity of a database: its own row names its model, so that no command takes it for another model's.

Written with the first opening for a deployment, before anything else; every later opening compares.
"""

from __future__ import annotations

from sqlmodel import Session

from contracts.chain.deployment import Deployment
from ledger.books import log
from ledger.errors import DatabaseForeign, DatabaseMissing
from ledger.storage.store import Store
from ledger.storage.tables import FINAL, Cursor, IdentityRow

REMEDY = "check --deployment, --folder and --database-url; nothing was changed"


def require_own(store: Store, deployment: Deployment, makes: bool = True) -> None:
    """Raises DatabaseForeign unless the database is this model's on this chain.

    An empty one becomes the model's. Without `makes` it is refused: raises DatabaseMissing.
    """
    with store.read() as session:
        row = session.get(IdentityRow, 1)
        if row is None:
            _require_unused(session)
    if row is None and not makes:
        raise DatabaseMissing(f"the database is nobody's yet: `serve` begins it; {REMEDY}")
    if row is None:
        row = _claim(store, deployment)
    _compare(row, identity_of(deployment))


def identity_of(deployment: Deployment) -> IdentityRow:
    """The row of a deployment."""
    return IdentityRow(
        chain_id=deployment.chain_id,
        model=deployment.model,
        name=deployment.name,
        verifier_registry=deployment.verifier_registry,
        distributor=deployment.distributor,
        digest=deployment.digest(),
    )


def _claim(store: Store, deployment: Deployment) -> IdentityRow:
    """The identity row; of two processes that begin at once, the first one's."""
    with store.write() as session:
        row = session.get(IdentityRow, 1)
        if row is None:
            row = identity_of(deployment)
            session.add(row)
        return row


def _require_unused(session: Session) -> None:
    if log.size(session) or session.get(Cursor, FINAL) is not None:
        raise DatabaseForeign(f"the database holds a log and does not say whose: {REMEDY}")


def _compare(row: IdentityRow, expected: IdentityRow) -> None:
    if row.digest == expected.digest:
        return
    if row.chain_id != expected.chain_id:
        what = f"is of chain {row.chain_id}, and the deployment is on chain {expected.chain_id}"
    elif row.model != expected.model:
        what = f"is that of model {row.name} ({row.model}), and the deployment is of {expected.name} ({expected.model})"
    elif (row.verifier_registry, row.distributor) != (expected.verifier_registry, expected.distributor):
        what = f"is of the registry {row.verifier_registry} and the distributor {row.distributor}, and the "
        what += f"deployment's are {expected.verifier_registry} and {expected.distributor}"
    else:
        what = "was begun with another deployment file of this model"
    raise DatabaseForeign(f"the database {what}: {REMEDY}")
