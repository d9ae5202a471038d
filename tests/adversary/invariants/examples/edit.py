"""Changes to a history, in place: entries keep pointing at the entries that they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from contracts.protocol.judge.entries import Lapsed, RoundOpened
from contracts.protocol.judge.facts import Block, Lapse, Returned, RunCreated, Seen
from tests.adversary.history import Entry, History
from tests.adversary.invariants.core import Condition

POINTS = {Lapse: "since", Lapsed: "since", Seen: "index", Returned: "size"}


class Case(NamedTuple):
    """A change to a story that breaks one condition, and no other of its invariant."""

    condition: Condition
    story: Callable[[], History]
    change: Callable[[History], object]


def at(history: History, kind: type, nth: int = 0, **fields: object) -> int:
    """The index of the nth entry of a kind with these fields; from the end for a negative number."""
    found = [
        index
        for index, entry in enumerate(history.entries)
        if type(entry) is kind and all(getattr(entry, name) == value for name, value in fields.items())
    ]
    return found[nth]


def entry(history: History, kind: type, nth: int = 0, **fields: object) -> Any:
    """That entry."""
    return history.entries[at(history, kind, nth, **fields)]


def change(history: History, place: int, /, **fields: Any) -> None:
    """Other fields in one entry."""
    found: Any = history.entries[place]
    history.entries[place] = replace(found, **fields)


def insert(history: History, index: int, *entries: Entry) -> None:
    """More entries before an index."""
    history.entries[index:index] = entries
    _renumber(history, index, len(entries))


def append(history: History, *entries: Entry) -> None:
    """More entries at the end."""
    insert(history, len(history.entries), *entries)


def drop(history: History, *indices: int) -> None:
    """Without these entries."""
    for index in sorted(indices, reverse=True):
        del history.entries[index]
        _renumber(history, index, -1)


def move(history: History, index: int, before: int) -> None:
    """One entry to an earlier place, or to the end with the history's length."""
    found = history.entries[index]
    insert(history, before, found)
    drop(history, index + 1 if before <= index else index)


def _renumber(history: History, index: int, by: int) -> None:
    for place, found in enumerate(history.entries):
        name = POINTS.get(type(found))
        pointed: Any = found
        if name is not None and getattr(pointed, name) >= index:
            history.entries[place] = replace(pointed, **{name: getattr(pointed, name) + by})
    history.ticks = list(range(len(history.entries)))


def rename(history: History, start: int, stop: int, old: str, new: str, *kinds: type) -> None:
    """Another verifier in the entries of these kinds between two indices."""
    for index in range(start, stop):
        found: Any = history.entries[index]
        if type(found) in kinds and found.verifier == old:
            history.entries[index] = replace(found, verifier=new)


def listed(history: History, number: int, node: str, **fields: Any) -> None:
    """Other fields in a node's listing of a round."""
    index = at(history, RoundOpened, round=number)
    opened: Any = history.entries[index]
    change(history, index, nodes=tuple(replace(n, **fields) if n.node == node else n for n in opened.nodes))


def terms(history: History, **fields: Any) -> None:
    """Other terms of the run."""
    created = entry(history, RunCreated)
    change(history, at(history, RunCreated), terms=replace(created.terms, **fields))


def change_event(history: History, kind: type, **fields: Any) -> None:
    """Other fields in the first chain event of a kind."""
    for index, block in ((i, b) for i, b in enumerate(history.entries) if isinstance(b, Block)):
        events = list(block.events)
        for place, event in enumerate(events):
            if type(event) is kind:
                changed: Any = event
                events[place] = replace(changed, **fields)
                change(history, index, events=tuple(events))
                return


def drop_events(history: History, kind: type) -> None:
    """No chain event of a kind."""
    for index, block in enumerate(history.entries):
        if isinstance(block, Block):
            change(history, index, events=tuple(event for event in block.events if type(event) is not kind))
