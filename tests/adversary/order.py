"""Other orders of a history's facts: what is entered in one tick answers nothing of it, so it may stand anyhow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from contracts.protocol.judge import entries as derived
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Block, Fact
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.state import State
from tests.adversary.history import Entry, History
from tests.adversary.sim.functions import Cheap

POINTS: dict[type, str] = {facts.Lapse: "since", facts.Seen: "index", facts.Returned: "size"}
"""Facts that name an entry by its index (the size of a head: the one after it)."""


@dataclass
class Ends:
    """What a log comes to."""

    proofs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Each proof's entries of its end."""
    faults: set[tuple[str, str, str]] = field(default_factory=set)
    """(proof, who, what) of what costs stake, nodes and verifiers."""
    paid: Counter[str] = field(default_factory=Counter)
    """By account, over all epochs."""

    @property
    def void(self) -> set[str]:
        """Proofs that are void."""
        return {proof for proof, end in self.proofs.items() if "Voided" in end[0]}


def author(fact: Fact) -> str:
    """Whose fact it is; the chain's for a block."""
    if isinstance(fact, facts.Opened | facts.PledgeOpened):
        return fact.proof.split("/")[2]
    return next((getattr(fact, name) for name in ("verifier", "node", "party", "key") if hasattr(fact, name)), "chain")


def swaps(history: History) -> Iterator[int]:
    """Positions among the facts of two by different authors that follow each other in one tick."""
    told = [(tick, e) for tick, e in zip(history.ticks, history.entries, strict=True) if isinstance(e, Fact)]
    for place, ((tick, first), (other, second)) in enumerate(pairwise(told)):
        begun = not isinstance(first, facts.Rules | facts.RunCreated | facts.Anchored)
        if tick == other and begun and author(first) != author(second):
            yield place


def swapped(history: History, place: int) -> list[Fact]:
    """The facts with the one at a place after the next."""
    told = [entry for entry in history.entries if isinstance(entry, Fact)]
    told[place], told[place + 1] = told[place + 1], told[place]
    return told


def pair(history: History, place: int) -> frozenset[str]:
    """The kinds of the two facts of a swap."""
    told = [entry for entry in history.entries if isinstance(entry, Fact)]
    return frozenset(type(fact).__name__ for fact in told[place : place + 2])


def feed(told: Sequence[Fact], original: Sequence[Entry]) -> list[Entry]:
    """The log of these facts; whoever named an entry by its index means the same entry where it stands now."""
    state, log, names = State(Cheap()), list[Entry](), _Names(original)
    for fact in told:
        try:
            meant = names.translated(fact)
            apply(state, meant)
        except Refused:
            continue
        derived: tuple[Entry, ...] = (fact, *due(state))
        for entry in derived:
            names.note(entry, len(log))
            log.append(meant if entry is fact else entry)
    return log


class _Names:
    """The same entry in two logs: the nth of its kind about the same thing."""

    def __init__(self, original: Sequence[Entry]) -> None:
        seen = Counter[Hashable]()
        self.keys: list[tuple[Hashable, int]] = []
        for entry in original:
            key = _about(entry)
            self.keys.append((key, seen[key]))
            seen[key] += 1
        self.now: dict[tuple[Hashable, int], int] = {}
        self.seen = Counter[Hashable]()

    def note(self, entry: Entry, index: int) -> None:
        """An entry stands at an index of the new log."""
        key = _about(entry)
        self.now[key, self.seen[key]] = index
        self.seen[key] += 1

    def translated(self, fact: Fact) -> Fact:
        """The fact with the index at which what it names stands now."""
        name = POINTS.get(type(fact))
        if name is None:
            return fact
        less = name == "size"
        index = getattr(fact, name) - less
        now = self.now.get(self.keys[index], index) if 0 <= index < len(self.keys) else index
        changed: Fact = replace(fact, **{name: now + less})  # type: ignore[type-var]
        return changed


def _about(entry: Any) -> Hashable:
    """A kind of entry and what it is about, without indices."""
    if isinstance(entry, Block):
        return Block, entry.number
    if isinstance(entry, derived.Lapsed):
        return derived.Lapsed, entry.awaited, entry.period
    if isinstance(entry, facts.Lapse):
        return facts.Lapse, entry.verifier, entry.awaited
    named = ("run", "round", "proof", "verifier", "node", "party", "segment", "sequence", "epoch", "boundary", "key")
    return type(entry), *(getattr(entry, name, None) for name in named)


def ends(log: Sequence[Entry]) -> Ends:
    """How its proofs end, who is at fault, and what is paid."""
    found = Ends()
    final = {e.epoch for e in log if isinstance(e, derived.EpochEnded) and e.ours}
    lines: dict[int, tuple[derived.Line, ...]] = {}
    for entry in log:
        if isinstance(entry, derived.Posted | derived.Voided | derived.Undecided):
            reason = (entry.reason.value,) if isinstance(entry, derived.Voided) else ()
            found.proofs[entry.proof] = (type(entry).__name__, *reason)
        elif isinstance(entry, derived.FaultDerived) and entry.costs_stake:
            found.faults.add((entry.proof, entry.node, entry.reason.value))
        elif isinstance(entry, derived.VerifierFault):
            found.faults.add((entry.proof, entry.verifier, entry.fault.value))
        elif isinstance(entry, derived.EpochClosed) and entry.epoch in final:
            lines[entry.epoch] = entry.lines
    for paid in lines.values():
        found.paid.update({line.account: line.amount for line in paid})
    return found
