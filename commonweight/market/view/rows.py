"""Offers for people and for scripts: one row each, with all that a choice needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from commonweight.market.money import MicroUsd, dollars
from commonweight.market.offers import Offer, OfferKind
from commonweight.market.provider import Provider
from commonweight.market.view.measured import Yield, token_price
from commonweight.terminal.console import one_line
from contracts.hosts.measured import Measured

UNSEEN = "not yet seen"


def document(offer: Offer, facts: Provider | None, rates: Mapping[str, Yield], now: int) -> dict[str, Any]:
    """One offer as an object: prices in millionths of a dollar, the provider's terms, the price of verified tokens."""
    rate = rates.get(offer.gpu)
    terms = facts.facts if facts is not None else None
    return {
        **offer.to_json(),
        "price_per_gpu_hour": int(offer.per_gpu),
        "old": offer.is_old(now),
        "measured_old": offer.measured is not None and offer.measured.is_old(now),
        "kyc": terms.kyc if terms is not None else "",
        "pays": list(terms.pays) if terms is not None else [],
        "tokens_per_gpu_hour": rate.to_json() if rate is not None else None,
        "price_per_million_tokens": token_price(offer, rate.median) if rate is not None else None,
    }


def table(offers: Sequence[Offer], rates: Mapping[str, Yield], now: int) -> Table:
    """The offers in their order; an old one is marked, and so is what is no live offer."""
    shown = Table(box=None, pad_edge=False)
    for name in (
        "provider",
        "offer",
        "place",
        "GPUs",
        "memory",
        "$/GPU h",
        "$/M tokens",
        "security",
        "link",
        "rel.",
        "",
    ):
        shown.add_column(name, overflow="fold", justify="right" if name.startswith("$") else "left")
    for offer in offers:
        # providers wrote the texts: brackets are no markup here, and no letter moves the cursor
        shown.add_row(*(Text(one_line(cell, 200)) for cell in _cells(offer, rates, now)))
    return shown


def terms_table(offers: Sequence[Offer], providers: Mapping[str, Provider]) -> Table:
    """Disk and bandwidth of the same offers, and what their providers ask for: who one is, and which money."""
    shown = Table(box=None, pad_edge=False)
    for name in ("provider", "offer", "disk", "down", "up", "identity papers", "paid by"):
        shown.add_column(name, overflow="fold")
    for offer in offers:
        facts = providers[offer.provider].facts if offer.provider in providers else None
        cells = (
            offer.provider,
            offer.name,
            f"{offer.disk_gb} GB" if offer.disk_gb else "?",
            f"{offer.down_mbps} Mbit/s" if offer.down_mbps else "?",
            f"{offer.up_mbps} Mbit/s" if offer.up_mbps else "?",
            facts.kyc if facts is not None else "?",
            ", ".join(facts.pays) if facts is not None else "?",
        )
        shown.add_row(*(Text(one_line(cell, 200)) for cell in cells))
    return shown


def _cells(offer: Offer, rates: Mapping[str, Yield], now: int) -> tuple[str, ...]:
    notes = [
        "interruptible" if offer.interruptible else "",
        "whole hours" if offer.booked_seconds >= 3600 else "",
        "" if offer.kind is OfferKind.LIVE else str(offer.kind),
        _measured(offer.measured, now),
        f"host shared by {offer.sharing + 1} offers" if offer.sharing else "",
        "old" if offer.is_old(now) else "",
    ]
    reliability = "" if offer.reliability is None else f"{offer.reliability / 10_000:.1f} %"
    return (
        offer.provider,
        offer.name,
        offer.place or offer.country or "?",
        f"{offer.gpus} x {offer.gpu}",
        f"{offer.gpu_memory_gb} GB" if offer.gpu_memory_gb else "?",
        dollars(offer.per_gpu, 3),
        _tokens(offer, rates.get(offer.gpu)),
        f"{offer.security.level}: {offer.security.ground}",
        offer.link,
        reliability,
        ", ".join(note for note in notes if note),
    )


def _measured(measured: Measured | None, now: int) -> str:
    """What verifiers signed of a supplier's host: never the kind of its GPU."""
    if measured is None:
        return ""
    old = "old: " if measured.is_old(now) else ""
    memory = f"{measured.memory / 2**30:.1f} GiB"
    return f"{old}{measured.tokens // 1_000} std tokens/s, {memory} by {len(measured.signers)} verifiers"


def _tokens(offer: Offer, rate: Yield | None) -> str:
    """The price of a million verified tokens with its spread."""
    if rate is None:
        return UNSEEN
    prices = [token_price(offer, one) for one in (rate.median, rate.most, rate.least)]
    middle, best, worst = ("?" if price is None else dollars(MicroUsd(price), 3) for price in prices)
    return f"{middle} ({best} to {worst})"
