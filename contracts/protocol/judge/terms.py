"""Bounds of a run's terms: outside of them nobody could judge the run, or its entries would outgrow a leaf."""

from __future__ import annotations

from contracts.protocol.audit_rate import MILLION
from contracts.protocol.judge.errors import NotBound
from contracts.protocol.judge.facts import Terms

LARGEST_AMOUNT = 2**128 - 1
"""Token units and wei: sums over a run's life stay within 256 bits."""
MOST_LINES = 400
"""Nodes of a round times rounds of an epoch: an epoch's lines fit into one entry."""
MOST_CREDITED = 100
"""Accounts with code or data in one epoch: its lines have to fit into one entry."""
MOST_PAID = MOST_LINES + MOST_CREDITED
"""Lines of one epoch, with debts of earlier ones: an account that finds no place in it is in the next one."""
MOST_INVOICES = 100
"""Invoices of a run that wait to be assessed: the assessment of all has to fit into one entry."""
MOST_OF_ONE = 25
"""Of them of one party: one that waits for a price keeps nobody else from giving it."""
MOST_FUNDED = 100
"""Accounts whose capital is not paid yet."""
MEMORY_HOURS = 45 * 24
"""So long after its first hour an invoice is taken, and so long it waits for others' prices, or gives one."""
LEAST_OTHERS = 3
"""Renters, wallets, machines and node keys beside one's own that a median price needs."""
RANGES: dict[str, tuple[int, int]] = {
    "emission": (0, LARGEST_AMOUNT),
    "rounds_per_epoch": (1, MOST_LINES),
    "min_nodes": (1, 100),
    "max_nodes": (1, 100),
    "panel": (0, 100),
    "samples": (1, 1_000),
    "audit_floor": (1, MILLION),
    "node_stake": (0, LARGEST_AMOUNT),
    "span": (1, 86_400),
    "root_seconds": (60, 10**8),
    "behind_rounds": (0, 10**6),
    "canaries": (0, 10**6),
    "canary_window": (1, 10**6),
}


def check_terms(terms: Terms) -> None:
    """Raises NotBound, naming the field."""
    for name, (low, high) in RANGES.items():
        if not low <= getattr(terms, name) <= high:
            raise NotBound(f"{name} must be between {low} and {high}, is {getattr(terms, name)}")
    if terms.min_nodes > terms.max_nodes:
        raise NotBound("min_nodes must be at most max_nodes")
    if terms.max_nodes * terms.rounds_per_epoch > MOST_LINES:
        raise NotBound(f"max_nodes times rounds_per_epoch must be at most {MOST_LINES}")
    if not 1 <= len(terms.profiles) <= 32:
        raise NotBound("a run names between 1 and 32 profiles")
