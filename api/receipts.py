"""Route of receipts: what a contributor takes home of an epoch."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from api.access import get_ledger
from api.wire import EthAddress, Number
from ledger import receipts
from ledger.service import Ledger

router = APIRouter()


@router.get("/receipts/{number}/{account}")
def show_receipt(number: Number, account: EthAddress, ledger: Ledger = Depends(get_ledger)) -> dict[str, Any]:
    """An account's work and pay in an epoch, with every proof that checking it takes."""
    with ledger.store.read() as session:
        return receipts.receipt_of(ledger, session, number, account).model_dump()
