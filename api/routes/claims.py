"""The route of claims that are of no one epoch: several epochs and accounts in one transaction."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.access import get_ledger
from contracts.wire.epochs import ManyQueuedClaims, PassedOver
from contracts.wire.requests import ClaimManyBody
from ledger.context import Ledger
from ledger.epochs import many_claims

router = APIRouter()


@router.post("/claims")
def claim_many(body: ClaimManyBody, ledger: Ledger = Depends(get_ledger)) -> ManyQueuedClaims:
    """Mint accounts' lines of several epochs, each to its own account, at the relayer's cost; anybody may ask.

    What cannot be claimed is passed over, and named with the code of why.
    """
    found = many_claims.claim_many(ledger, [(one.epoch, one.account) for one in body.claims])
    passed_over = [PassedOver(**vars(one)) for one in found.passed_over]
    return ManyQueuedClaims(transactions=found.transactions, passed_over=passed_over)
