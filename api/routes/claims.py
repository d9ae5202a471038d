"""The route of claims that are of no one epoch: several epochs and accounts in one transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends

from api.access import get_ledger
from api.wire import ClaimManyBody
from ledger.context import Ledger
from ledger.epochs import many_claims

router = APIRouter()


@router.post("/claims")
def claim_many(body: ClaimManyBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """Mint accounts' lines of several epochs, each to its own account, at the relayer's cost; anybody may ask.

    What cannot be claimed is passed over, and named with the code of why.
    """
    found = many_claims.claim_many(ledger, [(one.epoch, one.account) for one in body.claims])
    return {"transactions": found.transactions, "passed_over": [asdict(one) for one in found.passed_over]}
