"""The model to which the database belongs."""

from __future__ import annotations

from ledger.storage.seals import SealedRow
from ledger.storage.tables.columns import large


class IdentityRow(SealedRow, table=True):
    """The one model whose ledger this is: written before the first entry of its log, and never again.

    `digest` is that of the deployment (contracts/chain/deployment.py:Deployment.digest).
    """

    __tablename__ = "identity"

    one: int = large(1, primary_key=True)
    chain_id: int = large()
    model: str
    name: str
    verifier_registry: str
    distributor: str
    digest: str
