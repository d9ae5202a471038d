"""A final block as entries: no entry is larger than a leaf, whatever the chain said (J17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.keccak import keccak256
from contracts.protocol.judge.facts import Block, ChainEvent, Decided

MOST_EVENTS = 100
"""Of one entry."""
LONGEST_TEXT = 2_000
"""Characters of a decision's key or value; no decision that a run takes is longer."""


def split(block: Block) -> list[Block]:
    """The entries of a block, all but the last with `more`; texts without an end stand there by their hash."""
    events = [_bounded(event) for event in block.events]
    parts: Sequence[list[ChainEvent]] = [
        events[at : at + MOST_EVENTS] for at in range(0, len(events), MOST_EVENTS)
    ] or [[]]
    last = len(parts) - 1
    return [replace(block, events=tuple(part), more=number < last) for number, part in enumerate(parts)]


def _bounded(event: ChainEvent) -> ChainEvent:
    if not isinstance(event, Decided):
        return event
    return replace(event, key=_short(event.key), value=_short(event.value))


def _short(text: str) -> str:
    """The text, or where it is longer, or no Unicode, what nobody can take for a decision: its hash."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(text) <= LONGEST_TEXT and encoded.decode("utf-8", "replace") == text:
        return text
    return f"keccak256:{keccak256(encoded).hex()}"
