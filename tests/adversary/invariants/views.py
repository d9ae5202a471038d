"""What the log says about one proof, one round and one run: entries with their index, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge import entries as derived
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import SegmentWord, What, Word

T = TypeVar("T")
At: TypeAlias = tuple[int, T]
"""An entry and its index."""
Key: TypeAlias = tuple[RunId, int]
"""(run, round)"""
End: TypeAlias = derived.Posted | derived.Voided | derived.Undecided


def earlier(entries: Iterable[At[T]], before: int) -> Iterator[T]:
    """The entries that stand before an index."""
    return (entry for index, entry in entries if index < before)


def stands_before(entries: Iterable[At[T]], before: int) -> bool:
    """Whether one of them stands before an index."""
    return any(index < before for index, _ in entries)


def effective(words: list[At[SegmentWord]], before: int) -> SegmentWord | None:
    """One verifier's word on a segment: its first, or what replaced an `unserved`."""
    first: SegmentWord | None = None
    for word in earlier(words, before):
        if first is None:
            first = word
        elif first.word is Word.UNSERVED and word.word is not Word.UNSERVED:
            return word
    return first


@dataclass(slots=True)
class Proof:
    """One proof."""

    name: ProofId
    committed: list[At[facts.Committed]] = field(default_factory=list)
    has: list[At[facts.Has]] = field(default_factory=list)
    closed: list[At[derived.RoundClosed]] = field(default_factory=list)
    panels: list[At[derived.PanelDrawn]] = field(default_factory=list)
    filled: list[At[derived.SeatsFilled]] = field(default_factory=list)
    drawn: list[At[derived.Drawn]] = field(default_factory=list)
    opened: list[At[facts.Opened]] = field(default_factory=list)
    openings: list[At[derived.OpeningsClosed]] = field(default_factory=list)
    words: dict[tuple[str, int], list[At[SegmentWord]]] = field(default_factory=dict)
    sealed: dict[str, int] = field(default_factory=dict)
    """Verifier → index of its first words with a sealed trace."""
    traces: list[At[facts.TraceShown]] = field(default_factory=list)
    benches: list[At[derived.BenchCalled]] = field(default_factory=list)
    looks: list[At[derived.SecondLook]] = field(default_factory=list)
    decided: list[At[derived.SegmentDecided]] = field(default_factory=list)
    spoken: list[At[derived.PanelSpoken]] = field(default_factory=list)
    pledges: list[At[facts.PledgeOpened]] = field(default_factory=list)
    lapsed: list[At[derived.Lapsed]] = field(default_factory=list)
    called_late: dict[str, int] = field(default_factory=dict)
    """Verifier → index of the first word, of whomever, that its words did not come in time."""
    ends: list[At[End]] = field(default_factory=list)
    posted: At[derived.Posted] | None = None
    """Its first `Posted`."""
    voided: At[derived.Voided] | None = None
    """Its first `Voided`."""
    faults: list[At[derived.FaultDerived]] = field(default_factory=list)

    def seats(self, before: int) -> list[Address]:
        """Who sits, in the order of sitting down."""
        first = [seat for panel in earlier(self.panels, before) for seat in panel.seats]
        return first + [seat for filled in earlier(self.filled, before) for seat in filled.verifiers]

    def draws(self, before: int) -> dict[str, tuple[int, ...]]:
        """Verifier → the segments that it drew."""
        return {drawn.verifier: drawn.segments for drawn in earlier(self.drawn, before)}

    def word(self, verifier: str, segment: int, before: int) -> SegmentWord | None:
        """A verifier's word on a segment as it counts at an index."""
        return effective(self.words.get((verifier, segment), []), before)

    def readers(self, segment: int, before: int) -> set[str]:
        """Whose words on a questioned segment count: the members of its bench and those who drew it."""
        members = {m for call in earlier(self.benches, before) if call.segment == segment for m in call.members}
        return members | {verifier for verifier, drawn in self.draws(before).items() if segment in drawn}

    def said(self, segment: int, before: int) -> list[SegmentWord]:
        """The words that count on a segment, one a reader."""
        words = (self.word(reader, segment, before) for reader in self.readers(segment, before))
        return [word for word in words if word is not None]

    def answered(self, verifier: str, segment: int, before: int) -> bool:
        """Whether it said a word; `unserved` answers nothing where k had the bytes before."""
        decided = next((at for at, d in self.decided if d.segment == segment and d.true), before)
        words = [(at, word) for at, word in self.words.get((verifier, segment), []) if at < before]
        return any(word.word is not Word.UNSERVED or at < decided for at, word in words)

    def read_in_time(self, segment: int, before: int) -> set[str]:
        """Who first said what a replay of a segment gave while it was asked, and was called late by nobody so far."""
        until = min((before, *(at for at, _ in self.ends), *(at for at, _ in self.faults)))
        decided = min((until, *(at for at, d in self.decided if d.segment == segment and d.true)))
        found = set()
        for (verifier, number), words in self.words.items():
            if number != segment or not words or words[0][1].word is Word.UNSERVED:
                continue
            at = words[0][0]
            drew = segment in self.draws(at).get(verifier, ())
            if at < (until if drew else decided) and self.called_late.get(verifier, before) >= before:
                found.add(verifier)
        return found

    def held_true(self, segment: int, before: int) -> bool:
        """The bench decided that the segment is true."""
        return any(decided.true for decided in earlier(self.decided, before) if decided.segment == segment)

    def has_lapsed(self, what: What, before: int, period: int = 1) -> bool:
        """This was said to be missing for so many periods."""
        return any(lapsed.awaited.what is what and lapsed.period >= period for lapsed in earlier(self.lapsed, before))


@dataclass(slots=True)
class Round:
    """One round of a run."""

    key: Key
    opened: list[At[derived.RoundOpened]] = field(default_factory=list)
    nodes: dict[str, derived.Listed] = field(default_factory=dict)
    """Those that its opening lists."""
    proofs: list[Proof] = field(default_factory=list)
    """Committed ones, in the order of their commitments."""
    seen: list[At[facts.Seen]] = field(default_factory=list)
    secrets: list[At[facts.Secret]] = field(default_factory=list)
    lapsed: list[At[derived.Lapsed]] = field(default_factory=list)
    closed: list[At[derived.RoundClosed]] = field(default_factory=list)
    fixed: list[At[derived.BeaconFixed]] = field(default_factory=list)
    missed: list[At[derived.BeaconMissed]] = field(default_factory=list)
    merge_sets: list[At[derived.MergeSet]] = field(default_factory=list)
    signed: list[At[facts.MergeSigned]] = field(default_factory=list)
    merged: list[At[derived.RoundMerged]] = field(default_factory=list)
    messages: int = 0

    @property
    def k(self) -> int:
        """How many equal words decide here (more than there can be where the round was never opened)."""
        return self.opened[0][1].k if self.opened else 1 << 30

    @property
    def verifiers(self) -> tuple[Address, ...]:
        """Who speaks in it."""
        return self.opened[0][1].verifiers if self.opened else ()

    def listed(self, node: str) -> derived.Listed | None:
        """A node as the round's opening lists it."""
        return self.nodes.get(node)

    def holders(self, proof: Proof, before: int) -> set[Address]:
        """The verifiers of the round that said `Has` for a proof."""
        said = (has for has in earlier(proof.has, before) if (has.run, has.round) == self.key)
        return {has.verifier for has in said} & set(self.verifiers)

    def has_lapsed(self, what: What, party: str, before: int, period: int = 1) -> bool:
        """This party was said to be missing in the round, for no single proof."""
        return any(
            lapsed.awaited.what is what and lapsed.awaited.party == party and lapsed.period >= period
            for lapsed in earlier(self.lapsed, before)
        )

    def lapsed_seat(self, proof: Proof, what: What, party: str, before: int, period: int = 1) -> bool:
        """A verifier was said to be missing, in the round or for this proof."""
        return self.has_lapsed(what, party, before, period) or any(
            lapsed.awaited.what is what and lapsed.awaited.party == party and lapsed.period >= period
            for lapsed in earlier(proof.lapsed, before)
        )


@dataclass(slots=True)
class Run:
    """One run."""

    name: str
    created: list[At[facts.RunCreated]] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    """Those that were opened, in the order of the log."""
    anchored: list[At[facts.Anchored]] = field(default_factory=list)
    enrolled: list[At[facts.Enrolled]] = field(default_factory=list)
    left: list[At[facts.Left]] = field(default_factory=list)
    returned: list[At[facts.Returned]] = field(default_factory=list)
    lapsed: list[At[derived.Lapsed]] = field(default_factory=list)
    posted: list[At[derived.Posted]] = field(default_factory=list)
    credited: list[At[facts.Credited]] = field(default_factory=list)
    invoiced: list[At[facts.Invoiced]] = field(default_factory=list)
    assessed: list[At[derived.InvoicesAssessed]] = field(default_factory=list)
    taken: list[At[derived.DecisionTaken]] = field(default_factory=list)
    overruled: list[At[derived.Overruled]] = field(default_factory=list)
    verifier_faults: list[At[derived.VerifierFault]] = field(default_factory=list)
    epochs: list[At[derived.EpochClosed]] = field(default_factory=list)
    ended: list[At[derived.EpochEnded]] = field(default_factory=list)
    over: list[At[derived.RunOver]] = field(default_factory=list)

    @property
    def closings(self) -> list[At[derived.EpochClosed]]:
        """The first closing of each of its epochs: one whose deadline passed is closed anew."""
        first: dict[int, At[derived.EpochClosed]] = {}
        for index, epoch in self.epochs:
            first.setdefault(epoch.epoch, (index, epoch))
        return list(first.values())
