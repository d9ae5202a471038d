"""Route of the typed data for wallets."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.access import get_ledger
from contracts.wire.typed_data import ToSign, TypedData
from ledger.context import Ledger
from ledger.typed_data import to_sign

router = APIRouter()


@router.post("/typed-data")
def typed_data(body: ToSign, ledger: Ledger = Depends(get_ledger)) -> TypedData:
    """The typed data (EIP-712) that a wallet signs for an action: domain, types and message. Nothing is changed.

    Make the same typed data from your own intention, and sign nothing if the digests differ.
    """
    return to_sign(ledger, body)
