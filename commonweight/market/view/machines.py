"""Rented machines for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commonweight.market.money import dollars
from commonweight.market.renting import budget
from commonweight.market.renting.journal import Fleet
from commonweight.market.renting.rental import Rental


def document(rental: Rental, now: int) -> dict[str, Any]:
    """One machine as an object; costs in millionths of a dollar."""
    return {
        "rental": rental.tag,
        "fleet": rental.fleet,
        "standing": str(rental.standing),
        "provider": rental.provider,
        "machine": rental.machine,
        "gpu": rental.offer.gpu,
        "gpus": rental.offer.gpus,
        "place": rental.offer.place,
        "nodes": list(rental.nodes),
        "cost": int(rental.cost(now)),
        "billed": int(rental.billed),
        "proof": rental.proof,
        "reach": rental.reach,
        "reason": rental.reason,
    }


def line(rental: Rental, now: int) -> str:
    """One machine in a line."""
    what = f"{rental.offer.gpus} x {rental.offer.gpu} of {rental.provider} ({rental.machine or 'no name yet'})"
    proof = ", works" if rental.proof else ""
    why = f": {rental.reason}" if rental.reason else ""
    return f"{rental.tag}  {rental.fleet}  {rental.standing}{proof}  {what}  {dollars(rental.cost(now))}{why}"


def fleet_document(fleet: Fleet, rentals: Sequence[Rental], now: int) -> dict[str, Any]:
    """What a fleet has cost by now, at most, and what was billed."""
    spent, billed = budget.cost(rentals, now), sum(rental.billed for rental in rentals)
    return {"fleet": fleet.name, "run": fleet.run, "spent": spent, "billed": billed, "budget": fleet.budget}


def fleet_line(fleet: Fleet, rentals: Sequence[Rental], now: int) -> str:
    """The same in a line."""
    spent, billed = budget.cost(rentals, now), sum(rental.billed for rental in rentals)
    return f"{fleet.name}: at most {dollars(spent)} of {dollars(fleet.budget)}, {dollars(billed)} billed so far"
