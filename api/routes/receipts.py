"""Route of receipts: their parts; the entries are read from the log."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.access import get_ledger
from api.wire import Number
from contracts.ids import as_address
from contracts.wire.epochs import ReceiptParts
from contracts.wire.fields import EthAddress
from ledger.context import Ledger
from ledger.epochs import receipts

router = APIRouter()


@router.get("/receipts/{number}/{account}")
def show_receipt(number: Number, account: EthAddress, ledger: Ledger = Depends(get_ledger)) -> ReceiptParts:
    """Show the parts of an account's receipt: payout lines with Merkle proofs, and the indices of log entries."""
    return receipts.receipt_of(ledger, number, as_address(account))
