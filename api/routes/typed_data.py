"""Route of what a wallet signs."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.access import get_ledger
from contracts.wire.typed_data import ToSign, TypedData
from ledger.context import Ledger
from ledger.typed_data import to_sign

router = APIRouter()


@router.post("/typed-data")
def typed_data(body: ToSign, ledger: Ledger = Depends(get_ledger)) -> TypedData:
    """What a wallet signs for an action: domain, types and message of EIP-712. It changes nothing.

    Make it anew of what you mean, and sign nothing where the digests differ.
    """
    return to_sign(ledger, body)
