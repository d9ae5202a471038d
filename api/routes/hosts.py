"""Routes of suppliers' hosts: signed offers, verifiers' signed reports, and both for whoever rents."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Query

from api.access import get_ledger
from contracts.hosts.signed import Signed
from contracts.hosts.wire import HeldOffer, HeldReport, HostLine, OfferBody, ReportBody
from contracts.ids import from_hex
from contracts.messages.fields import from_json
from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.wire.fields import PAGE
from ledger import hosts
from ledger.context import Ledger

router = APIRouter()


@router.get("/market/hosts")
def list_hosts(
    after: str = Query("", pattern="^(0x[0-9a-fA-F]{40})?$"),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[HostLine]:
    """Hosts on offer, by their suppliers' addresses after one. A reader checks each signature, and by whom it is."""
    return [
        HostLine(offer=one.offer.to_json(), reports=[report.to_json() for report in one.reports])
        for one in hosts.hosts(ledger, after, limit)
    ]


@router.post("/market/offers")
def offer_host(body: OfferBody, ledger: Ledger = Depends(get_ledger)) -> HeldOffer:
    """A supplier's offer, in the place of its last one. It is a claim, and ends by itself."""
    one = Signed(from_json(HostOffer, body.message), from_hex(body.signature))
    taken = hosts.offer(ledger, one)
    return HeldOffer(supplier=taken.supplier, expires_at=taken.expiresAt)


@router.post("/market/reports")
def report_host(body: ReportBody, ledger: Ledger = Depends(get_ledger)) -> HeldReport:
    """An admitted verifier's measurement of a host that is on offer."""
    one = Signed(from_json(MeasuredHost, body.message), from_hex(body.signature))
    taken = hosts.report(ledger, one)
    return HeldReport(supplier=taken.supplier, verifier=taken.verifier)
