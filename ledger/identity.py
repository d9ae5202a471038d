"""Whose database it is: it says so itself, so that no command takes one model's for another's.

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
        known = session.get(IdentityRow, 1)
        if known is None:
            _require_unused(session)
    if known is None and not makes:
        raise DatabaseMissing(f"the database is nobody's yet: `serve` begins it; {REMEDY}")
    if known is None:
        known = _claim(store, deployment)
    _compare(known, identity_of(deployment))


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
    """The row that stands: of two processes that begin at once the first one's."""
    with store.write() as session:
        known = session.get(IdentityRow, 1)
        if known is None:
            known = identity_of(deployment)
            session.add(known)
        return known


def _require_unused(session: Session) -> None:
    if log.size(session) or session.get(Cursor, FINAL) is not None:
        raise DatabaseForeign(f"the database holds a log and does not say whose: {REMEDY}")


def _compare(known: IdentityRow, wanted: IdentityRow) -> None:
    if known.digest == wanted.digest:
        return
    if known.chain_id != wanted.chain_id:
        what = f"is of chain {known.chain_id}, and the deployment is on chain {wanted.chain_id}"
    elif known.model != wanted.model:
        what = f"is that of model {known.name} ({known.model}), and the deployment is of {wanted.name} ({wanted.model})"
    elif (known.verifier_registry, known.distributor) != (wanted.verifier_registry, wanted.distributor):
        what = f"is of the registry {known.verifier_registry} and the distributor {known.distributor}, and the "
        what += f"deployment's are {wanted.verifier_registry} and {wanted.distributor}"
    else:
        what = "was begun with another deployment file of this model"
    raise DatabaseForeign(f"the database {what}: {REMEDY}")
