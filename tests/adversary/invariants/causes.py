"""I8, as far as one history shows it: every derived entry has its cause in the entries before it, and stands once.

That the stored log is what an audit derives, for every prefix and every order of facts, is compared by the adversary.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from contracts.protocol.judge import entries as derived
from tests.adversary.invariants import (
    causes_due,
    causes_ends,
    causes_epochs,
    causes_lapses,
    causes_panels,
    causes_rounds,
    causes_words,
)
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading

_IDENTITY: dict[type, Callable[[Any], Hashable]] = {
    derived.RoundOpened: lambda e: (e.run, e.round),
    derived.RoundClosed: lambda e: (e.run, e.round),
    derived.BeaconFixed: lambda e: (e.run, e.round, e.block),
    derived.BeaconMissed: lambda e: (e.run, e.round, e.block),
    derived.MergeSet: lambda e: (e.run, e.round),
    derived.RoundMerged: lambda e: (e.run, e.round),
    derived.Lapsed: lambda e: (e.awaited, e.since),
    derived.PanelDrawn: lambda e: e.proof,
    derived.Drawn: lambda e: (e.proof, e.verifier),
    derived.OpeningsClosed: lambda e: (e.proof, e.verifier),
    derived.BenchCalled: lambda e: (e.proof, e.segment, e.members),
    derived.SegmentDecided: lambda e: (e.proof, e.segment),
    derived.PanelSpoken: lambda e: e.proof,
    derived.FaultDerived: lambda e: e.proof,
    derived.VerifierFault: lambda e: (e.run, e.round, e.proof, e.verifier, e.fault),
    derived.Overruled: lambda e: (e.proof, e.verifier),
    derived.DecisionTaken: lambda e: (e.run, e.sequence),
    derived.EpochClosed: lambda e: (e.epoch, e.attempt, e.deadline),
    derived.EpochEnded: lambda e: e.epoch,
    derived.RunOver: lambda e: e.run,
}
"""What makes two derived entries the same one. `Posted`, `Voided` and `Undecided` have their own condition, and
who returned may sit down again."""


def entries_stand_once(reading: Reading) -> Iterator[Breach]:
    """No derived entry stands twice."""
    seen = set[tuple[type, Hashable]]()
    for index, entry in enumerate(reading.history.entries[: reading.length]):
        identity = _IDENTITY.get(type(entry))
        if identity is None:
            continue
        key = (type(entry), identity(entry))
        if key in seen:
            yield index, f"{type(entry).__name__} {key[1]} stands a second time"
        seen.add(key)


INVARIANT = Invariant(
    "I8",
    (
        entries_stand_once,
        *causes_rounds.CONDITIONS,
        *causes_panels.CONDITIONS,
        *causes_words.CONDITIONS,
        *causes_ends.CONDITIONS,
        *causes_due.CONDITIONS,
        *causes_lapses.CONDITIONS,
        *causes_epochs.CONDITIONS,
    ),
)
check = INVARIANT.check
