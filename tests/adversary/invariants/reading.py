"""The reading of a history: one pass that puts every entry where the invariants look for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from contracts.ids import NO_RUN, ProofId
from contracts.protocol.judge import entries as derived
from contracts.protocol.judge import facts
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.facts import Awaited, Block, Lapse, What
from tests.adversary.history import History
from tests.adversary.invariants.tables import MESSAGES, OF_PROOF, OF_ROUND, OF_RUN
from tests.adversary.invariants.views import At, Key, Proof, Round, Run

Event = TypeVar("Event", bound=ChainEvent)
IN_THE_LOG = frozenset({"omitted", "extra", "swapped", "changed"})
"""Deviations in derived entries: from there on the log binds nobody."""

_NO_ROUND = Round((NO_RUN, 0))


class Reading:
    """The log of a history up to the first deviation in a derived entry, by proof, round and run."""

    def __init__(self, history: History) -> None:
        if len(history.ticks) != len(history.entries):
            raise ValueError("a history needs one tick for each entry")
        self.history = history
        self.deviations = [d for d in history.deviations if d.kind in IN_THE_LOG]
        self.length = min((d.index for d in self.deviations), default=len(history.entries))
        self.safe = len(history.verifiers) - len(history.honest) < history.k
        """Fewer than k verifiers are corrupt."""
        self.premise = history.premise
        self.complete = history.complete and not self.deviations
        self.proofs: dict[str, Proof] = {}
        self.rounds: dict[Key, Round] = {}
        self.runs: dict[str, Run] = {}
        self.blocks: list[At[Block]] = []
        self.events: dict[type[ChainEvent], list[At[Any]]] = defaultdict(list)
        self.lapses: dict[tuple[Awaited, int], list[At[Lapse]]] = defaultdict(list)
        self.lapsed: list[At[derived.Lapsed]] = []
        self.epochs: dict[int, list[At[derived.EpochClosed]]] = defaultdict(list)
        self.ended: list[At[derived.EpochEnded]] = []
        self._read()

    def _read(self) -> None:
        entries: list[Any] = list(self.history.entries[: self.length])
        for index, entry in enumerate(entries):
            kind = type(entry)
            if kind in OF_PROOF:
                getattr(self.proof(entry.proof), OF_PROOF[kind]).append((index, entry))
            elif kind in OF_ROUND:
                getattr(self.round((entry.run, entry.round)), OF_ROUND[kind]).append((index, entry))
            elif kind in OF_RUN:
                getattr(self.run(entry.run), OF_RUN[kind]).append((index, entry))
            elif (place := _PLACES.get(kind)) is not None:
                place(self, index, entry)
            if kind in MESSAGES:
                self.round(self._round_of(entry)).messages += 1

    def proof(self, name: ProofId) -> Proof:
        """What the log says about a proof."""
        if name not in self.proofs:
            self.proofs[name] = Proof(name)
        return self.proofs[name]

    def round(self, key: Key) -> Round:
        """What the log says about a round."""
        if key not in self.rounds:
            self.rounds[key] = Round(key)
        return self.rounds[key]

    def run(self, name: str) -> Run:
        """What the log says about a run."""
        if name not in self.runs:
            self.runs[name] = Run(name)
        return self.runs[name]

    def round_of(self, proof: Proof) -> Round:
        """The round of a proof; an empty one where it was never committed."""
        if not proof.committed:
            return _NO_ROUND
        committed = proof.committed[0][1]
        return self.round((committed.run, committed.round))

    def terms(self, run: str) -> facts.Terms | None:
        """The terms of a run, None where it was never created."""
        created = self.run(run).created
        return created[0][1].terms if created else None

    def event(self, kind: type[Event], before: int) -> Iterator[Event]:
        """The chain's events of one kind before an index, the last one first."""
        return (event for index, event in reversed(self.events[kind]) if index < before)

    def opened_at(self, proof: Proof) -> int:
        """The chain time of the block by which stakes count in a proof's round."""
        committed = proof.committed[0][1]
        opened = self.rounds[committed.run, committed.round].opened[0][0]
        block = self.block(opened)
        return block.time if block is not None else 0

    def block(self, before: int) -> Block | None:
        """The last block before an index."""
        return next((block for index, block in reversed(self.blocks) if index < before), None)

    def committed(self) -> Iterator[tuple[Proof, facts.Committed, Round]]:
        """Every committed proof with its commitment and round."""
        for proof in self.proofs.values():
            if proof.committed:
                yield proof, proof.committed[0][1], self.round_of(proof)

    def _round_of(self, entry: Any) -> Key:
        """The round to which a message belongs; ("", 0) for what belongs to none."""
        if isinstance(entry, Lapse):
            return entry.awaited.run, entry.awaited.round
        if hasattr(entry, "round"):
            return entry.run, entry.round
        return self.round_of(self.proof(entry.proof)).key if hasattr(entry, "proof") else (NO_RUN, 0)


def _block(reading: Reading, index: int, entry: Block) -> None:
    reading.blocks.append((index, entry))
    for event in entry.events:
        reading.events[type(event)].append((index, event))


def _committed(reading: Reading, index: int, entry: facts.Committed) -> None:
    proof = reading.proof(entry.proof)
    if not proof.committed:
        reading.round((entry.run, entry.round)).proofs.append(proof)
    proof.committed.append((index, entry))


def _has(reading: Reading, index: int, entry: facts.Has) -> None:
    for name in entry.proofs:
        reading.proof(name).has.append((index, entry))


def _words(reading: Reading, index: int, entry: facts.Words) -> None:
    proof = reading.proof(entry.proof)
    for word in entry.words:
        proof.words.setdefault((entry.verifier, word.segment), []).append((index, word))
    if entry.witness:
        proof.sealed.setdefault(entry.verifier, index)


def _lapse(reading: Reading, index: int, entry: Lapse) -> None:
    reading.lapses[entry.awaited, entry.since].append((index, entry))
    if entry.awaited.what is What.WORDS:
        reading.proof(entry.awaited.proof).called_late.setdefault(entry.awaited.party, index)


def _lapsed(reading: Reading, index: int, entry: derived.Lapsed) -> None:
    awaited = entry.awaited
    view = reading.proof(awaited.proof) if awaited.proof else reading.round((awaited.run, awaited.round))
    view.lapsed.append((index, entry))
    reading.run(awaited.run).lapsed.append((index, entry))
    reading.lapsed.append((index, entry))


def _opened(reading: Reading, index: int, entry: derived.RoundOpened) -> None:
    view = reading.round((entry.run, entry.round))
    if not view.opened:
        reading.run(entry.run).rounds.append(view)
        view.nodes.update((listed.node, listed) for listed in entry.nodes)
    view.opened.append((index, entry))


def _closed(reading: Reading, index: int, entry: derived.RoundClosed) -> None:
    reading.round((entry.run, entry.round)).closed.append((index, entry))
    for name in entry.proofs:
        reading.proof(name).closed.append((index, entry))


def _posted(reading: Reading, index: int, entry: derived.Posted) -> None:
    proof = reading.proof(entry.proof)
    proof.ends.append((index, entry))
    proof.posted = proof.posted or (index, entry)
    reading.run(reading.round_of(proof).key[0]).posted.append((index, entry))


def _voided(reading: Reading, index: int, entry: derived.Voided) -> None:
    proof = reading.proof(entry.proof)
    proof.ends.append((index, entry))
    proof.voided = proof.voided or (index, entry)


def _epoch_closed(reading: Reading, index: int, entry: derived.EpochClosed) -> None:
    reading.run(entry.run).epochs.append((index, entry))
    reading.epochs[entry.epoch].append((index, entry))


def _epoch_ended(reading: Reading, index: int, entry: derived.EpochEnded) -> None:
    reading.ended.append((index, entry))
    closed = reading.epochs.get(entry.epoch)
    if closed:
        reading.run(closed[0][1].run).ended.append((index, entry))


_PLACES: dict[type, Callable[[Reading, int, Any], None]] = {
    Block: _block,
    facts.Committed: _committed,
    facts.Has: _has,
    facts.Words: _words,
    Lapse: _lapse,
    derived.Lapsed: _lapsed,
    derived.RoundOpened: _opened,
    derived.RoundClosed: _closed,
    derived.Posted: _posted,
    derived.Voided: _voided,
    derived.EpochClosed: _epoch_closed,
    derived.EpochEnded: _epoch_ended,
}
