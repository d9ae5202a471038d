"""How everything ended, read from the entries of one log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.protocol.judge import entries as e
from contracts.protocol.judge import facts


@dataclass
class Ends:
    """The end of each proof, who is at fault, and what each account earned."""

    proofs: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """posted; void, with reason, segment, and the reason and the cost in the end; out; undecided; open."""
    faults: set[tuple[object, ...]] = field(default_factory=set)
    """Verifiers that are at fault, or were overruled."""
    posted: Counter[str] = field(default_factory=Counter)
    """Proofs by the account that they are paid to."""
    credited: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Weight by account and kind."""
    epochs: dict[int, tuple[bool, int]] = field(default_factory=dict)
    """Whether the root that became final is ours, and what it left owed."""
    over: set[str] = field(default_factory=set)
    """Runs."""


def ends(log: Iterable[Any]) -> Ends:
    """Of a log in the simulator's names."""
    found = Ends()
    rounds: dict[tuple[str, int], list[str]] = {}
    for entry in log:
        if isinstance(entry, facts.Committed):
            found.proofs[entry.proof] = ("open",)
            rounds.setdefault((entry.run, entry.round), []).append(entry.proof)
        elif isinstance(entry, e.RoundClosed):
            out = set(rounds.get((entry.run, entry.round), [])) - set(entry.proofs)
            found.proofs |= dict.fromkeys(out, ("out",))
        else:
            _note(found, entry)
    return found


def _note(found: Ends, entry: Any) -> None:
    if isinstance(entry, facts.Credited):
        found.credited[entry.account, entry.kind] += entry.weight
    elif isinstance(entry, e.Posted):
        found.proofs[entry.proof] = ("posted", entry.account)
        found.posted[entry.account] += 1
    elif isinstance(entry, e.Voided):
        found.proofs[entry.proof] = ("void", entry.reason, entry.segment)
    elif isinstance(entry, e.FaultDerived):
        found.proofs[entry.proof] += (entry.node, entry.at_fault, entry.reason, entry.costs_stake)
    elif isinstance(entry, e.Undecided):
        found.proofs[entry.proof] = ("undecided",)
    elif isinstance(entry, e.VerifierFault):
        found.faults.add((entry.proof, entry.verifier, entry.fault))
    elif isinstance(entry, e.Overruled):
        found.faults.add((entry.proof, entry.verifier, "overruled", entry.until))
    elif isinstance(entry, e.EpochEnded):
        found.epochs[entry.epoch] = (entry.ours, entry.carried)
    elif isinstance(entry, e.RunOver):
        found.over.add(entry.run)
