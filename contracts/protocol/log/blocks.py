"""A final block as entries: no entry is larger than a leaf, whatever the chain said (J17)."""

from __future__ import annotations

import re
from dataclasses import replace

from contracts.keccak import keccak256
from contracts.protocol.judge.chain_events import ChainEvent, Decided
from contracts.protocol.judge.facts import Block
from contracts.protocol.log.codec import canonical, to_wire

LARGEST_PART = 48_000
"""Bytes of the events of one entry; the fields beside them are far less than the rest of a leaf."""
_DECISION = re.compile(r"[\x20-\x7e]{0,1500}")
"""No key or value that a run takes is longer, or of other letters."""


def split(block: Block) -> list[Block]:
    """The entries of a block, all but the last with `more`; a decision of odd text stands there by its hash."""
    parts: list[list[ChainEvent]] = [[]]
    size = 0
    for event in (_bounded(event) for event in block.events):
        length = len(canonical(to_wire(event)).encode())
        if parts[-1] and size + length > LARGEST_PART:
            parts.append([])
            size = 0
        parts[-1].append(event)
        size += length
    last = len(parts) - 1
    return [replace(block, events=tuple(part), more=number < last) for number, part in enumerate(parts)]


def _bounded(event: ChainEvent) -> ChainEvent:
    if not isinstance(event, Decided):
        return event
    return replace(event, key=_short(event.key), value=_short(event.value))


def _short(text: str) -> str:
    """The text, or its hash, which nobody can take for a decision."""
    if _DECISION.fullmatch(text):
        return text
    return f"keccak256:{keccak256(text.encode('utf-8', 'surrogatepass')).hex()}"
