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
    """Mint payout lines of several epochs, each to its own account, at the relayer's cost. Anybody may ask for it.

    A line that cannot be claimed is skipped, and listed with the code of the reason.
    """
    claims = many_claims.claim_many(ledger, [(claim.epoch, claim.account) for claim in body.claims])
    passed_over = [PassedOver(**vars(claim)) for claim in claims.passed_over]
    return ManyQueuedClaims(transactions=claims.transactions, passed_over=passed_over)
