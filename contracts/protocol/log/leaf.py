"""One leaf of the log: canonical text with its kind, read back as a fact or as a derived entry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

from contracts.ids import ZERO_ADDRESS as ZERO_ADDRESS
from contracts.ids import Address, ProofId
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain
from contracts.protocol.judge import chain_events, entries
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Block, Fact, Rules
from contracts.protocol.log.codec import InvalidLeaf, canonical, from_object, parse, slug, to_wire
from contracts.protocol.log.signed import ENTERED, Envelope, fact_of, read_envelope

Entry: TypeAlias = Fact | Derived
_HASH = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
LARGEST_LEAF = 2**16 - 1
"""Bytes of a leaf at most: an entry bundle of tlog-tiles gives its length in 16 bits."""


K = TypeVar("K")
D = TypeVar("D", bound=Derived)


def kinds(module: ModuleType, base: type[K]) -> dict[str, type[K]]:
    """The classes of a module that derive from a base, by their names in the log, in the order of the module."""
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    return {slug(kind): kind for kind in classes if issubclass(kind, base) and kind is not base}


DERIVED: dict[str, type[Derived]] = kinds(entries, Derived)
EVENTS: dict[str, type[ChainEvent]] = kinds(chain_events, ChainEvent)
SIGNED: dict[str, type[Message]] = {slug(kind): kind for kind in ENTERED}
KINDS: tuple[str, ...] = ("rules", "block", *SIGNED, *DERIVED)
"""Every kind of entry."""


def write(entry: Rules | Block | Derived | Envelope) -> str:
    """The leaf of an entry. Raises InvalidLeaf where it is too large."""
    if isinstance(entry, Envelope):
        body = {"kind": slug(type(entry.message)), **entry.body()}
    elif isinstance(entry, Block):
        events = [{"event": slug(type(event)), **to_wire(event)} for event in entry.events]
        body = {"kind": "block", **to_wire(entry), "events": events}
    else:
        body = {"kind": slug(type(entry)), **to_wire(entry)}
    text = canonical(body)
    parse(text)  # a text that nobody could read again is not written
    if len(text.encode()) > LARGEST_LEAF:
        raise InvalidLeaf(f"an entry of {len(text.encode())} bytes is larger than a leaf may be")
    return text


def read(text: str, domain: Domain, author_of: Callable[[ProofId], Address], checked: bool = True) -> Entry:
    """The entry of a leaf, every signature of it checked, or believed where `checked` is false: by its writer.

    Raises InvalidLeaf, BadSignature, BadField and InvalidTree.
    """
    body = parse(text)
    if not isinstance(body, dict) or canonical(body) != text:
        raise InvalidLeaf("is not in canonical form")
    kind = body.pop("kind", None)
    if not isinstance(kind, str):
        raise InvalidLeaf("an entry names its kind")
    if kind in SIGNED:
        return fact_of(read_envelope(SIGNED[kind], body), domain, author_of, checked)
    if kind in DERIVED:
        return _derived(DERIVED[kind], body)
    if kind == "rules":
        rules: Rules = _checked(from_object(Rules, body), body)
        return rules
    if kind == "block":
        return _block(body)
    raise InvalidLeaf(f"{str(kind)[:40]!r} is no kind of entry")


def read_derived(text: str, kind: type[D]) -> D:
    """An entry that the rules derived, where one of this kind is expected. Raises InvalidLeaf."""
    body = parse(text)
    if not isinstance(body, dict) or canonical(body) != text or body.pop("kind", None) != slug(kind):
        raise InvalidLeaf(f"is no entry of the kind {slug(kind)}")
    entry: D = _checked(from_object(kind, body), body)
    return entry


def _derived(kind: type[Derived], body: dict[str, Any]) -> Derived:
    entry: Derived = _checked(from_object(kind, body), body)
    return entry


def _block(body: dict[str, Any]) -> Block:
    events = body.get("events")
    if not isinstance(events, list):
        raise InvalidLeaf("events must be a list")
    plain = {**body, "events": []}
    block: Block = _checked(from_object(Block, plain), plain)
    if not _HASH.fullmatch(block.hash):
        raise InvalidLeaf("a block's hash is 0x and 64 hex digits")
    return replace(block, events=tuple(_event(event) for event in events))


def _event(body: Any) -> ChainEvent:
    if not isinstance(body, dict) or not isinstance(body.get("event"), str) or body["event"] not in EVENTS:
        raise InvalidLeaf("an event must be of a known kind")
    inner = {name: value for name, value in body.items() if name != "event"}
    event: ChainEvent = _checked(from_object(EVENTS[body["event"]], inner), inner)
    for name in ("verifier", "node"):
        if not _ADDRESS.fullmatch(getattr(event, name, ZERO_ADDRESS)):
            raise InvalidLeaf(f"{name} must be an address")
    if isinstance(event, chain_events.Quorum) and event.k < 1:
        raise InvalidLeaf("at least one verifier decides")
    return event


def _checked(entry: Any, body: dict[str, Any]) -> Any:
    """Raises InvalidLeaf where the same entry would be written otherwise."""
    if to_wire(entry) != body:
        raise InvalidLeaf("is not written as its kind is")
    return entry
