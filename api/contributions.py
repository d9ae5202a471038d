"""Routes of code and data contributions: credited under a quorum of maintainers, listed for everybody."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from sqlmodel import col, select

from api.access import get_ledger
from api.wire import ContributionBody, octets
from contracts.contribution import CONTRIBUTIONS
from contracts.messages import from_json
from ledger import contributions
from ledger.enrolment import require_run
from ledger.service import Ledger
from ledger.tables import ContributionRow

router = APIRouter()


@router.post("/runs/{run}/contributions")
def credit(run: str, body: ContributionBody, ledger: Ledger = Depends(get_ledger)) -> dict[str, str]:
    """Credit code or data that a quorum of the run's maintainers signed for; anybody may bring it."""
    message = from_json(CONTRIBUTIONS[body.contribution], body.message)
    signatures = {signer: octets(signature) for signer, signature in body.signatures.items()}
    return {"contribution": contributions.credit(ledger, run, message, signatures)}


@router.get("/runs/{run}/contributions")
def list_contributions(run: str, ledger: Ledger = Depends(get_ledger)) -> list[dict[str, Any]]:
    """What was credited in a run, in order of the log."""
    with ledger.store.read() as session:
        require_run(session, run)
        rows = select(ContributionRow).where(ContributionRow.run == run).order_by(col(ContributionRow.log_index))
        return [_line(row) for row in session.exec(rows)]


def _line(row: ContributionRow) -> dict[str, Any]:
    return {
        "contribution": row.message, "kind": row.kind, "author": row.author, "weight": str(row.weight),
        "log_index": row.log_index,
    }  # fmt: skip
